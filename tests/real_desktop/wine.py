"""Test the entries for Explorer as far as wine supports them: import the .reg file, and pass odd names to each verb.

    apt-get install -y --no-install-recommends wine wine64 gcc-mingw-w64-x86-64    (1.2 GB; no X server)
    python -m tests.real_desktop.wine                                                   (from the checkout; a minute)

wine's shell32 runs a verb if the caller names its class (SEE_MASK_CLASSNAME). wine has no Explorer menus, lookup below
SystemFileAssociations, MultiSelectModel or sub-menu. Nor does wine 8 merge HKEY_CURRENT_USER's classes into
HKEY_CLASSES_ROOT: to run the verbs, the same values are also imported below HKEY_LOCAL_MACHINE.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from integrations.context import Setup
from integrations.verbs import build_verbs
from integrations.windows import explorer, registry
from integrations.windows.autostart import RUN_KEY, RUN_KEY_AUTOSTART
from integrations.windows.registry import RegistryValue, RegistryValues

FOLDER = "Program Files\\nobg ü & 100% ^(1)"
CLIENT = f"C:\\{FOLDER}\\nobg-add.exe"
NAMES = (
    "plain.png",
    "two words.png",
    "ü 写 & 100% %20 (1).png",
    "-dash.png",
    "--recipe.png",
    "^caret;semi,.png",
    "%PATH% %1 %*.png",
    "it's $HOME `ls` !x! [y] {z}~#=+@.png",
)
RECIPES = (('50% %1 & "q" ü', "Half"),)

CLIENT_SOURCE = r"""
#include <windows.h>
#include <stdio.h>
int wmain(int count, wchar_t **words) {
    FILE *file = _wfopen(L"C:\\arguments.txt", L"ab");
    char text[9000];
    for (int i = 1; i < count; i++) {
        WideCharToMultiByte(CP_UTF8, 0, words[i], -1, text, sizeof text, 0, 0);
        fprintf(file, "%s\t", text);
    }
    fputs("\n", file);
    return 0;
}
"""

RUNNER_SOURCE = r"""
#include <windows.h>
#include <shlobj.h>
#include <stdio.h>
static void show(const wchar_t *wide) {
    char text[9000];
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, sizeof text, 0, 0);
    puts(text);
}
static int link_of(const wchar_t *path) {
    IShellLinkW *link; IPersistFile *file; wchar_t text[2000]; int index;
    if (CoCreateInstance(&CLSID_ShellLink, 0, CLSCTX_INPROC_SERVER, &IID_IShellLinkW, (void **)&link)) return 2;
    link->lpVtbl->QueryInterface(link, &IID_IPersistFile, (void **)&file);
    if (file->lpVtbl->Load(file, path, STGM_READ)) return 3;
    link->lpVtbl->GetPath(link, text, 2000, 0, 0); show(text);
    link->lpVtbl->GetArguments(link, text, 2000); show(text);
    link->lpVtbl->GetDescription(link, text, 2000); show(text);
    link->lpVtbl->GetIconLocation(link, text, 2000, &index); show(text);
    return 0;
}
int wmain(int count, wchar_t **words) {
    CoInitializeEx(0, COINIT_APARTMENTTHREADED);
    if (count == 2) return link_of(words[1]);
    SHELLEXECUTEINFOW start = {sizeof start};
    start.fMask = SEE_MASK_NOCLOSEPROCESS | SEE_MASK_FLAG_NO_UI | SEE_MASK_CLASSNAME;
    start.lpFile = words[1]; start.lpVerb = words[2]; start.lpClass = words[3]; start.nShow = SW_HIDE;
    if (!ShellExecuteExW(&start)) return 1;
    if (start.hProcess) WaitForSingleObject(start.hProcess, 20000);
    return 0;
}
"""


OWN_KEYS = (
    rf"{explorer.CLASSES_KEY}\SystemFileAssociations",
    rf"{explorer.CLASSES_KEY}\{explorer.SUBMENU_KEY}",
    RUN_KEY,
)


def parse(text: str) -> Iterator[RegistryValue]:
    """Yield the values in a .reg file. This reader shares no code with nobg's writer."""
    key = ""
    for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
        if line.startswith("["):
            key = line.strip("[]").partition("\\")[2]
        elif match := re.fullmatch(r'(@|"(?:[^"\\]|\\.)*")=(?:"((?:[^"\\]|\\.)*)"|hex\(1\):([0-9a-f,]+))', line):
            name, quoted, codes = match.groups()
            data = _unquote(quoted) if codes is None else bytes.fromhex(codes.replace(",", "")).decode("utf-16-le")[:-1]
            yield RegistryValue(key, "" if name == "@" else _unquote(name[1:-1]), data)


def _unquote(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


class Wine:
    """A Windows of its own (a wine prefix) below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.drive = folder / "prefix" / "drive_c"
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | {
            "WINEPREFIX": str(folder / "prefix"),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree=;mshtml=",
        }

    def run(self, *command: str | Path, check: bool = True) -> str:
        """Run a command; return what it prints. wine encodes arguments by the locale, so that is UTF-8."""
        environment = {**self.environment, "LC_ALL": "C.UTF-8"}
        result = subprocess.run(
            ["nice", *map(str, command)],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            check=check,
            timeout=300,
        )
        return result.stdout.decode("utf-8", "replace").replace("\r", "")

    def build(self, name: str, source: str) -> Path:
        """Build a Windows program from C; return its path."""
        (self.folder / f"{name}.c").write_text(source)
        program = self.folder / f"{name}.exe"
        libraries = ["-lole32", "-lshell32", "-luuid"]
        self.run("x86_64-w64-mingw32-gcc", "-municode", "-O1", "-o", program, f"{name}.c", *libraries)
        return program

    def load(self, content: bytes) -> None:
        """Import a .reg file."""
        (self.folder / "values.reg").write_bytes(content)
        self.run("wine", "reg", "import", "values.reg")

    def values(self) -> set[RegistryValue]:
        """Return the values in nobg's keys, as wine's own reg.exe exports them."""
        values: set[RegistryValue] = set()
        for key in OWN_KEYS:
            exported = self.folder / "exported.reg"
            self.run("wine", "reg", "export", rf"HKCU\{key}", "exported.reg", "/y", check=False)
            if exported.is_file():
                values |= set(parse(exported.read_bytes().decode("utf-16")))
                exported.unlink()
        return values


def setup(folder: Path) -> Setup:
    """Return a setup as on a person's machine, with an awkward folder and an awkward recipe."""
    return Setup(
        client_command=(CLIENT,),
        resident_command=(CLIENT, "run"),
        verbs=build_verbs(RECIPES),
        suffixes=(".png", ".heic"),
        mime_types=(),
        icon_path=folder / "icon.svg",
        record_path=folder / "record.json",
        home=folder,
        config_home=folder,
        data_home=folder,
    )


def check_import(wine: Wine, odd_setup: Setup) -> None:
    """Import the .reg file in regedit's encoding and in plain ASCII, as a shell may save the output of --print.

    In an ASCII file, wine reads the codes of a text as bytes of the system's code page, so texts with an ü are lost.
    """
    values = [*explorer.registry_values(odd_setup), *autostart(odd_setup)]
    text = registry.reg_file(values)
    for name, content in (
        ("UTF-16", registry.encode_reg_file(text)),
        ("ASCII", text.replace("\n", "\r\n").encode("ascii")),
    ):
        wine.load(content)
        wrong = set(values) - wine.values()
        print(f"{name}: {len(values) - len(wrong)} of {len(values)} values came back as they were")
        assert not any(name == "UTF-16" or value.data.isascii() for value in wrong)
        for key in OWN_KEYS:
            wine.run("wine", "reg", "delete", rf"HKCU\{key}", "/f")


def autostart(odd_setup: Setup) -> tuple[RegistryValue, ...]:
    """Return the values of the start at login."""
    (artifact,) = RUN_KEY_AUTOSTART.artifacts(odd_setup)
    assert isinstance(artifact, RegistryValues)
    return artifact.values


def check_verbs(wine: Wine, odd_setup: Setup, runner: Path) -> None:
    """Check that each verb, run by shell32, starts the client with its recipe and the whole name."""
    reg_file = registry.reg_file(explorer.registry_values(odd_setup))
    machine_reg_file = reg_file.replace("HKEY_CURRENT_USER", "HKEY_LOCAL_MACHINE")
    wine.load(registry.encode_reg_file(machine_reg_file))
    (wine.drive / "pics").mkdir()
    log = wine.drive / "arguments.txt"
    first, *others = odd_setup.verbs
    verbs_by_key = [(r"SystemFileAssociations\.png", "nobg.remove", first)]
    verbs_by_key += [("nobg.menu", f"{number:02}-{verb.key}", verb) for number, verb in enumerate(others, 1)]
    for shell_class, key, verb in verbs_by_key:
        log.unlink(missing_ok=True)
        expected = []
        for name in NAMES:
            path = rf"C:\pics\{name}"
            (wine.drive / "pics" / name).touch()
            wine.run("wine", runner, path, key, shell_class)
            expected.append([*verb.arguments, "--", path])
        lines = [line.split("\t")[:-1] for line in log.read_text(encoding="utf-8").replace("\r", "").splitlines()]
        assert lines == expected, "\n".join(map(str, [key, *zip(lines, expected, strict=False)]))
        print(f"{key}: all {len(NAMES)} names arrived")


def check_shortcut(wine: Wine, odd_setup: Setup, runner: Path) -> None:
    """Check what wine's IShellLink reads in the shortcut."""
    (wine.drive / "link.lnk").write_bytes(explorer.send_to_shortcut(odd_setup).content)
    path, arguments, comment, icon = wine.run("wine", runner, r"C:\link.lnk").splitlines()
    print(f"shortcut: {path!r} {arguments!r} {comment!r} {icon!r}")
    assert (arguments, icon) == ("--", CLIENT)


def main() -> int:
    """Run all checks; return 1 if a program is missing."""
    missing = [program for program in ("wine", "x86_64-w64-mingw32-gcc") if shutil.which(program) is None]
    if missing:
        print(f"not run: {' and '.join(missing)} is missing")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="nobg-wine-"))
    wine = Wine(folder)
    try:
        wine.run("wine", "wineboot", "-i")
        client = wine.drive / FOLDER.replace("\\", "/") / "nobg-add.exe"
        client.parent.mkdir(parents=True)
        shutil.copy(wine.build("client", CLIENT_SOURCE), client)
        runner = wine.build("runner", RUNNER_SOURCE)
        odd_setup = setup(folder)
        check_import(wine, odd_setup)
        check_verbs(wine, odd_setup, runner)
        check_shortcut(wine, odd_setup, runner)
    finally:
        wine.run("wineserver", "-k", "-w", check=False)
        shutil.rmtree(folder, ignore_errors=True)
    print("wine: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
