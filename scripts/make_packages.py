"""Packages around gitops.pyz: Debian's, a Homebrew formula, a Nix flake.

All of them bring the one file that runs with Python alone, found by its hash.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

PACKAGE = "gitops-manager"
"""What the package is called: a `gitops` in a distribution is somebody else's."""

_ABOUT = "Writes image tags into Kustomize overlays in Git, and takes them back"
_SHELLS = {
    "bash": "bash-completion/completions/gitops",
    "zsh": "zsh/vendor-completions/_gitops",
    "fish": "fish/vendor_completions.d/gitops.fish",
}
_CONTROL = """\
Package: {package}
Version: {version}
Architecture: all
Section: vcs
Priority: optional
Maintainer: the gitops project
Installed-Size: {size}
Depends: python3 (>= 3.11), python3 (<< 3.15), git (>= 1:2.30)
Recommends: man-db, bash-completion
Description: {about}
 A GitOps manager for Argo CD. It edits image tags byte for byte, pushes safely beside other
 writers, promotes by policy and rolls back in one commit.
"""
_FORMULA = """\
class GitopsManager < Formula
  desc "{about}"
  homepage "{address}"
  url "{address}/releases/download/v{version}/gitops.pyz"
  version "{version}"
  sha256 "{hex}"
  license "Apache-2.0"

  depends_on "git"
  depends_on "python@3.13"

  def install
    libexec.install "gitops.pyz"
    (bin/"gitops").write <<~SH
      #!/bin/sh
      exec "#{{Formula["python@3.13"].opt_bin}}/python3.13" "#{{libexec}}/gitops.pyz" "$@"
    SH
    chmod 0755, bin/"gitops"
    generate_completions_from_executable(bin/"gitops", "completion")
  end

  test do
    assert_equal "gitops #{{version}}", shell_output("#{{bin}}/gitops version").strip
  end
end
"""
_FLAKE = """\
{{
  description = "{about}";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = {{ self, nixpkgs }}:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "aarch64-darwin" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${{system}});
    in
    {{
      packages = each (pkgs: {{
        default = pkgs.stdenvNoCC.mkDerivation {{
          pname = "{package}";
          version = "{version}";
          src = pkgs.fetchurl {{
            url = "{address}/releases/download/v{version}/gitops.pyz";
            hash = "sha256-{base64}";
          }};
          dontUnpack = true;
          nativeBuildInputs = [ pkgs.makeWrapper ];
          installPhase = ''
            install -Dm644 $src $out/libexec/gitops.pyz
            makeWrapper ${{pkgs.python313}}/bin/python3 $out/bin/gitops \\
              --add-flags $out/libexec/gitops.pyz \\
              --prefix PATH : ${{pkgs.lib.makeBinPath [ pkgs.git ]}}
          '';
          meta.mainProgram = "gitops";
        }};
      }});
    }};
}}
"""


def write_recipes(zipapp: Path, version: str, address: str, folder: Path) -> list[Path]:
    """Write the formula and the flake for the file at `address`; return both.

    Args:
        address: https URL of the repository that has the release, without a slash at the end.
    """
    digest = hashlib.sha256(zipapp.read_bytes())
    words = {"version": version, "address": address, "about": _ABOUT, "package": PACKAGE}
    words |= {"hex": digest.hexdigest(), "base64": b64encode(digest.digest()).decode()}
    made = {"gitops-manager.rb": _FORMULA, "flake.nix": _FLAKE}
    for name, text in made.items():
        (folder / name).write_text(text.format(**words))
    return [folder / name for name in made]


def unread_recipes(folder: Path) -> list[str]:
    """Have those who read the recipes parse them; return the ones that nobody here can.

    Raises ValueError for one that is refused.
    """
    unread = []
    for name, command in {
        "gitops-manager.rb": ("ruby", "-c"),
        "flake.nix": ("nix-instantiate", "--parse"),
    }.items():
        if shutil.which(command[0]) is None:
            unread.append(f"{name}: not parsed, there is no {command[0]}")
            continue
        done = subprocess.run([*command, folder / name], capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"{name}: {done.stderr.strip()}")
    return unread


def write_deb(
    zipapp: Path, version: str, root: Path, scripts: Mapping[str, str], target: Path, epoch: int
) -> None:
    """Write the Debian package: the program, its man pages, what completes its words.

    Args:
        root: of the checkout, which has the man pages and the licence.
        scripts: shell -> the script that completes there.
        epoch: seconds since 1970 that every file is of: the same input gives the same bytes.
    """
    tree = target.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    share = tree / "usr" / "share"
    program = _put(tree / "usr" / "bin" / "gitops", zipapp.read_bytes())
    for page in sorted((root / "docs" / "man").glob("*.1")):
        _put(share / "man" / "man1" / f"{page.name}.gz", _packed(page))
    for shell, path in _SHELLS.items():
        _put(share / path, scripts[shell].encode())
    about = share / "doc" / PACKAGE
    _put(about / "copyright", (root / "LICENSE").read_bytes())
    _put(about / "changelog.gz", _packed(root / "CHANGELOG.md"))
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    control = _CONTROL.format(
        package=PACKAGE, version=version.replace("rc", "~rc"), size=size, about=_ABOUT
    )
    _put(tree / "DEBIAN" / "control", control.encode())
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path == program else 0o644)
        os.utime(path, (epoch, epoch))
    try:
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "--build", tree, target],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
            check=True,
            capture_output=True,
        )
    finally:
        shutil.rmtree(tree)


def install_deb(deb: Path, root: Path) -> Path:
    """Install the package into an empty root, as nobody in particular; return the program.

    What it depends on is of the machine, not of that root, so it is not asked for.
    """
    for name in ("info", "updates"):
        (root / "var" / "lib" / "dpkg" / name).mkdir(parents=True)
    (root / "var" / "lib" / "dpkg" / "status").touch()
    subprocess.run(
        [
            *("dpkg", f"--root={root}", f"--log={root}/dpkg.log", "--force-not-root"),
            *("--force-depends", "--force-unsafe-io", "--install", deb),
        ],
        check=True,
        capture_output=True,
    )
    return root / "usr" / "bin" / "gitops"


def _put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _packed(path: Path) -> bytes:
    """Return a file's content as gzip writes it, without a time."""
    return gzip.compress(path.read_bytes(), 9, mtime=0)
