"""What `cmake --install` puts where, and that systemd accepts the units: `systemd-analyze verify` has nothing to say, and
`systemd-analyze security` rates each service at 2.0 or better."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ["MDPIPE_BUILD"]
SERVICES = ("ws-reader@.service", "md-publisher.service", "metrics-agent.service")
PROGRAMS = ("ws-reader", "md-publisher", "metrics-agent", "exchange-sim", "mdpipe-keygen")
EXAMPLES = {"gmo": "ws-reader", "bitflyer": "ws-reader", "binance": "ws-reader", "md-publisher": "md-publisher",
            "metrics-agent": "metrics-agent"}
EXPOSURE_MAX = 20  # systemd-analyze counts in tenths here


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="mdpipe-install-")
        cls.prefix = Path(cls.folder.name) / "usr"
        cls.units = cls.prefix / "lib/systemd/system"
        cls.install()

    @classmethod
    def install(cls):
        subprocess.run(["cmake", "--install", BUILD, "--prefix", str(cls.prefix)], check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_everything_is_where_it_belongs(self):
        wanted = [f"bin/{name}" for name in PROGRAMS]
        wanted += [f"share/man/man1/{name}.1.gz" for name in PROGRAMS] + ["share/man/man7/mdpipe.7.gz"]
        wanted += [f"share/bash-completion/completions/{name}" for name in PROGRAMS]
        wanted += [f"share/zsh/site-functions/_{name}" for name in PROGRAMS]
        wanted += [f"lib/systemd/system/{unit}" for unit in (*SERVICES, "mdpipe.target")]
        wanted += [f"{folder}/{name}.toml" for name in EXAMPLES for folder in ("share/doc/mdpipe/examples", "etc/mdpipe")]
        wanted += [f"share/doc/mdpipe/{name}" for name in ("README.md", "CHANGELOG.md", "copyright", "configuration.md")]
        wanted += ["lib/sysusers.d/mdpipe.conf", "lib/tmpfiles.d/mdpipe.conf"]
        wanted += [f"lib/mdpipe/libmdpipe_{library}_names.so" for library in ("ssl", "crypto")]  # metrics-agent loads them for TLS
        self.assertEqual([], [path for path in wanted if not (self.prefix / path).is_file()])
        installed = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        self.assertEqual(set(), installed - set(wanted), "installed, but nobody expects it")

    def test_units_start_the_installed_programs(self):
        for unit in SERVICES:
            with self.subTest(unit):
                text = (self.units / unit).read_text()
                command = re.search(r"^ExecStart=(\S+)", text, re.M).group(1)
                self.assertEqual(self.prefix / "bin", Path(command).parent)
                self.assertTrue(os.access(command, os.X_OK))
                self.assertNotIn("@MDPIPE", text)
                self.assertIn(f" --config={self.prefix}/etc/mdpipe/", text)

    def test_what_was_configured_is_left_alone(self):
        configured = self.prefix / "etc/mdpipe/gmo.toml"
        text = configured.read_text()
        configured.write_text("# mine\n")
        try:
            self.install()
            self.assertEqual("# mine\n", configured.read_text())
        finally:
            configured.write_text(text)

    def test_examples_are_accepted(self):
        for name, program in EXAMPLES.items():
            with self.subTest(name):
                example = self.prefix / f"share/doc/mdpipe/examples/{name}.toml"
                # A path that exists for --ca-file and the like is not needed: examples name only what every host has.
                checked = subprocess.run([self.prefix / "bin" / program, f"--config={example}", "--check-config"],
                                         capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
                self.assertEqual((0, ""), (checked.returncode, checked.stderr))
                self.assertIn(str(example), checked.stdout)

    def bash_completions(self, program, *words):
        """What bash offers for the last of the words, split as bash splits a command line: also at '='."""
        script = self.prefix / f"share/bash-completion/completions/{program}"
        asked = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${1//-/_}; printf "%s\\n" "${COMPREPLY[@]}"'
        shown = subprocess.run(["bash", "-c", asked, "bash", str(script), program, *words], capture_output=True, text=True)
        self.assertEqual("", shown.stderr)
        return shown.stdout.split()

    def help_options(self, program):
        """{flag: choices} of --help."""
        text = subprocess.run([self.prefix / "bin" / program, "--help"], check=True, capture_output=True, text=True).stdout
        options, flag = {}, None
        for line in text.splitlines():
            if found := re.match(r"  (?:-h, )?--([a-z0-9-]+)(=true\|false)?", line):
                flag = found.group(1)
                options[flag] = ["true", "false"] if found.group(2) else []
            elif line.startswith("      one of: "):
                options[flag] = line.split(": ", 1)[1].split(", ")
        return options

    def test_bash_completes_every_option_and_its_values(self):
        for name in PROGRAMS:
            with self.subTest(name):
                options = self.help_options(name)
                self.assertEqual(sorted(options), sorted(word.strip("-=") for word in self.bash_completions(name, "--")))
                for flag, choices in options.items():
                    if choices:
                        self.assertEqual(choices, self.bash_completions(name, f"--{flag}", "="), flag)
                        self.assertEqual(choices[:1], self.bash_completions(name, f"--{flag}", "=", choices[0]), flag)
        self.assertEqual(["ticker,trade", "ticker,trades"], self.bash_completions("ws-reader", "--channels", "=", "ticker,tr"))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_completes_every_option_and_its_values(self):
        for name in PROGRAMS:
            with self.subTest(name):
                script = self.prefix / f"share/zsh/site-functions/_{name}"
                # This stands in for zsh's own function and prints its arguments.
                shown = subprocess.run(["zsh", "-f", "-c", '_arguments() { print -rl -- "$@" }; source "$1"', "zsh", str(script)],
                                       capture_output=True, text=True, check=True)
                given = {}
                for line in shown.stdout.splitlines():
                    flag, rest = re.match(r"(?:\(- \*\))?(?:-h|--([a-z-]+))=?\[(.*)", line).groups()
                    given[flag] = rest
                options = self.help_options(name)
                self.assertEqual(set(options), set(given) - {None})
                for flag, choices in options.items():
                    if choices:
                        self.assertIn(" ".join(choices), given[flag], flag)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_accepts_the_units(self):
        # Any output is a finding: an unknown key is only a remark to systemd.
        for unit in (*SERVICES, "mdpipe.target"):
            with self.subTest(unit):
                checked = subprocess.run(["systemd-analyze", "verify", "--man=no", str(self.units / unit)], text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{self.units}:/lib/systemd/system"))
                self.assertEqual((0, ""), (checked.returncode, checked.stdout))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_services_are_hardened(self):
        for unit in SERVICES:
            with self.subTest(unit):
                # Analysed as an instance: an unnamed template is refused.
                named = Path(self.folder.name) / unit.replace("@", "@gmo")
                shutil.copy(self.units / unit, named)
                rated = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager",
                                        str(named)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                print(rated.stdout.strip().splitlines()[-1])
                self.assertEqual(0, rated.returncode, rated.stdout)


if __name__ == "__main__":
    unittest.main()
