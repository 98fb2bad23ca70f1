"""Stand-ins for modules, patterns that are compiled late, and the end of the process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gitops.late import late_patterns, stand_in


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own, without what measures ours."""
    environ = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_stand_in_gives_what_the_module_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is loaded until something is asked for, and then it is that of the real module."""
    (tmp_path / "some_words.py").write_text("A = 1\nclass Word: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_words", raising=False)

    stand_in("some_words", ahead=7)
    late = sys.modules["some_words"]

    assert 7 == vars(late)["ahead"]
    assert "A" not in vars(late)
    import some_words  # type: ignore[import-not-found]

    assert some_words is late
    assert 1 == some_words.A
    assert isinstance(sys.modules["some_words"], ModuleType)
    assert sys.modules["some_words"] is not late
    assert sys.modules["some_words"].Word is late.Word
    with pytest.raises(AttributeError):
        _ = late.nothing_of_that_name
    del sys.modules["some_words"]


def test_a_module_that_is_there_stays() -> None:
    """Whoever has loaded it already keeps it."""
    before = sys.modules["re"]

    stand_in("re")

    assert sys.modules["re"] is before


def test_stand_ins_of_a_call_are_as_good_as_the_modules(tmp_path: Path) -> None:
    """All that a short call leaves out works when somebody wants it after all."""
    code = """
import sys
from gitops.__main__ import _load_structs
_load_structs(sys.modules)
import ipaddress, locale, ntpath, platform, textwrap, urllib.parse
import msgspec, msgspec.inspect
class S(msgspec.Struct):
    a: int
print(ipaddress.ip_address("::1").is_loopback, ntpath.join("a", "b"), bool(platform.node()),
    platform.system() == __import__("os").uname().sysname, textwrap.dedent("  a"),
    urllib.parse.urlsplit("http://[::1]:8/").hostname, locale.LC_ALL is not None,
    msgspec.inspect.type_info(S).fields[0].name, "S" in msgspec.json.schema(S)["$defs"])
"""
    done = python(code, tmp_path)

    assert "True a\\b True True a ::1 True a True\n" == done.stdout, done.stderr


def test_patterns_are_compiled_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the package has patterns that work; others, and later ones, are plain."""
    package = tmp_path / "late_words"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "good.py").write_text("import re\nA = re.compile(r'a(b+)')\nB = re.compile('(')\n")
    (tmp_path / "late_wordsmith.py").write_text("import re\nA = re.compile('a')\n")
    monkeypatch.syspath_prepend(tmp_path)

    with late_patterns("late_words"):
        import late_words.good  # type: ignore[import-not-found]
        import late_wordsmith  # type: ignore[import-not-found]

        assert isinstance(re.compile("a"), re.Pattern)

    assert isinstance(re.compile("a"), re.Pattern)
    assert isinstance(late_wordsmith.A, re.Pattern)
    assert "bb" == late_words.good.A.search("xabb")[1]
    assert "a(b+)" == late_words.good.A.pattern
    with pytest.raises(re.error):
        late_words.good.B.match("")


def test_yaml_reads_and_resolves_as_ever(tmp_path: Path) -> None:
    """What PyYAML's own reader, resolver and constructor make of a text does not change."""
    load = """
import yaml
text = "a: 1\\nb: [1.5, .inf, yes, ~, 2001-12-14, 0x1f, 1:30, x]"
print(yaml.safe_load(text), yaml.load(text, yaml.CSafeLoader), yaml.safe_dump(["1", "x: y"]))
try:
    yaml.safe_load("a: \\x01")
except yaml.YAMLError as error:
    print(error)
"""
    plain = python(load, tmp_path)
    late = python(f"import gitops.core.yamltext\n{load}", tmp_path)

    assert "unacceptable character" in plain.stdout
    assert (plain.stdout, 0) == (late.stdout, late.returncode), late.stderr


@pytest.mark.parametrize("early", [True, False])
def test_exit_functions_run_at_the_end(tmp_path: Path, early: bool) -> None:
    """What was registered before the call or in it runs, and the exit code is the call's."""
    told = "import atexit; atexit.register(lambda: print('told'))"
    code = f"""
import gitops.__main__ as it
{told if early else ""}
def run(arguments):
    {told}
    print('done')
    return 7
it.run = run
it.main()
"""
    done = python(code, tmp_path)

    assert (7, "done\ntold\n" + ("told\n" if early else "")) == (done.returncode, done.stdout)
