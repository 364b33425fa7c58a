"""What the suites against foreign providers share: processes, a scripted browser, an app to protect, and the gateway."""
