"""An image is pushed and pulled by skopeo, with a token."""
import hashlib
import io
import json
import os
import tarfile

from kit.processes import run

PACKAGE = "docker-registry 2.8.2, skopeo 1.9 (Debian)"


def image(directory, data):
    """An image of one layer with one file, as a directory in the layout of OCI."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(content, kind):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as layer:
        entry = tarfile.TarInfo("cargo.bin")
        entry.size = len(data)
        layer.addfile(entry, io.BytesIO(data))
    layer = blob(tape.getvalue(), "layer.v1.tar")
    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
    manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]}).encode(), "manifest.v1+json")
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))


def cargo(directory):
    """The file in the layer of an image that was pulled into a directory."""
    layer = max(directory.iterdir(), key=lambda file: file.stat().st_size)
    with tarfile.open(layer) as tape:
        return tape.extractfile("cargo.bin").read()


def use(scene):
    where = scene.install(scene.cache.debian, "registry", "docker-registry", "skopeo")
    port = scene.port()
    (scene.directory / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {scene.directory}/images}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    scene.start([where / "usr/bin/docker-registry", "serve", "config.yml"], port)
    gate = scene.behind({5000: port})
    token = gate.token()
    environment = {**os.environ, **scene.cache.debian_environment(where), "HOME": str(scene.directory)}

    def images(*what):
        return run([where / "usr/bin/skopeo", "--insecure-policy", f"--tmpdir={scene.directory}", *what], cwd=scene.directory, env=environment)

    data = os.urandom(20 << 20)
    image(scene.directory / "built", data)
    name = f"docker://{gate.address}:{gate.port}/harbour/boat"
    images("copy", "--dest-tls-verify=false", f"--dest-registry-token={token}", "oci:built", f"{name}:v1")
    scene.see("an image of 20 MiB was pushed", True)
    images("copy", "--src-tls-verify=false", f"--src-registry-token={token}", f"{name}:v1", "dir:pulled")
    scene.see("it was pulled, byte for byte", cargo(scene.directory / "pulled") == data)
    tags = json.loads(images("list-tags", "--tls-verify=false", f"--registry-token={token}", name))["Tags"]
    scene.see("its tags are listed", tags == ["v1"], tags)
    status, headers, _ = scene.program("PATCH", "/v2/harbour/boat/blobs/uploads/none", b"x")
    scene.see("an upload without a token is refused", status == 401, f"{status} {headers}")
    status, headers, _ = scene.program("POST", "/v2/harbour/boat/blobs/uploads/", b"", token)
    location = headers.get("location", "")
    scene.see("uploads go on at the public address", status == 202 and location.startswith((gate.programs, "/v2/")), f"{status} {location}")
