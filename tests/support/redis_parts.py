"""What Redis is made of where it is more than one process: certificates, and servers of a test's own."""

import os
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


class Authority:
    """A CA that signs certificates in a folder."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.key, self.cert = self.path(name, "key"), self.path(name, "crt")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-out", self.cert, "-keyout", self.key)

    def path(self, name, kind):
        return os.path.join(self.folder, f"{name}.{kind}")

    def sign(self, name, subject="DNS:localhost", days=2):
        """(certificate, key) of a new key."""
        key, request, cert = (self.path(name, kind) for kind in ("key", "csr", "crt"))
        extensions = self.path(name, "ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={subject}\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-out", request, "-keyout", key)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                "-extfile", extensions, "-out", cert)
        return cert, key
