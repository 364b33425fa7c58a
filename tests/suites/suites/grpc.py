"""gRPC's interop client and server, in Go: every kind of call, metadata, errors, deadlines, through the gateway."""
import subprocess

TITLE = "gRPC interop, grpc-go 1.85.0"
ABOUT = """
The interop client and server of grpc-go: unary and streaming calls, empty ones, metadata in headers and trailers, statuses with odd messages, calls that
the client cancels or that take too long. The client comes by TLS with an access token, and the gateway speaks HTTP/2 to the server: without TLS, and with it.
"""
MODULE = "google.golang.org/grpc/interop/{}@v1.85.0"
CASES = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server", "cancel_after_begin",
         "cancel_after_first_response", "status_code_and_message", "special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service"]


def run(bench):
    client, server = (bench.install(bench.cache.go_install, MODULE.format(name)) for name in ("client", "server"))
    authority = bench.authority()
    files = [f"-tls_cert_file={bench.directory}/tls/server.pem", f"-tls_key_file={bench.directory}/tls/server.key"]
    for what, scheme, more, tls in (("to a server without TLS", "http", [], {}), ("to a server with TLS", "https", ["-use_tls", *files], {"tls": {"ca_file": str(authority)}})):
        port, listener = bench.port(), bench.port()
        bench.start([server, f"-port={port}", *more], port)
        bench.gateway([{"access": "bearer", "upstream": {"servers": [f"{scheme}://localhost:{port}"], "http2": True, **tls}}], tls_port=listener)
        failed = []
        for case in CASES:
            done = call(client, listener, authority, case, f"-additional_metadata=authorization:Bearer {bench.token()}")
            if done.returncode:
                failed.append(f"{case}: {done.stdout.strip()[-250:]}")
        bench.row(f"by TLS {what}", len(CASES) - len(failed), len(CASES), failed)
        done = call(client, listener, authority, "empty_unary")
        told = "Unauthenticated" in done.stdout
        bench.row(f"a call without a token is refused in gRPC's words, {what}", int(told), 1, [] if told else [done.stdout.strip()[-250:]])


def call(client, port, authority, case, *more):
    command = [client, "-server_host=localhost", f"-server_port={port}", "-use_tls", "-use_test_ca", f"-ca_file={authority}", f"-test_case={case}", *more]
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(command, 1, f"not done within 60 seconds: {(late.stdout or b'').decode()[-200:]}")
