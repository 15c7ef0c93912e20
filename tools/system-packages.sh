#!/bin/sh
# Install the Debian packages that napari needs to draw, where root may and they miss;
# elsewhere say in one sentence what is missing.
set -eu
[ "$(uname -s)" = Linux ] || exit 0

packages="xvfb xauth libgl1 libegl1 libdbus-1-3 libfontconfig1 libglib2.0-0 \
libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 \
libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-cursor0"

if [ "${PYTHON:-python3}" = python3 ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  packages="python3 python3-venv $packages"
fi

if ! command -v dpkg-query >/dev/null; then
  command -v xvfb-run >/dev/null || echo "xvfb-run: it is missing; install Xvfb to run without a screen." >&2
  exit 0
fi

missing=
for package in $packages; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  case $state in
    *" installed") ;;
    *)
      # Debian 13 and Ubuntu 24.04 gave some of these another name.
      state=$(dpkg-query -W -f '${Status}' "${package}t64" 2>/dev/null || true)
      case $state in
        *" installed") ;;
        *) missing="$missing $package" ;;
      esac
      ;;
  esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing
else
  echo "system packages are missing; install them with: sudo apt-get install$missing" >&2
  exit 2
fi
