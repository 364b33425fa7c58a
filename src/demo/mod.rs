//! Simulated ZenKey services and a sample app.
