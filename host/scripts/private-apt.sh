# Private apt state, to be sourced (not run) by the fetch scripts.
#
# The build needs Debian packages the system does not install: sources (zydis) and i386 binaries
# (guest kernels, busybox). Fetching them through the system's apt would need deb-src lines and a
# foreign architecture there, that is, root and a changed system. So each use gets its own sources
# list, list cache and package cache below the download cache, and runs as any user.
#
# Downloads are verified by apt against the Debian archive keyring.

: "${RINGONE_SUITE:=bookworm}"
: "${RINGONE_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/ringone}"
ringone_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# retry COMMAND...: run it until it succeeds, at most five times, waiting 5, 10, 20, 40 seconds.
# A Debian mirror in the middle of an update answers 404 or "unexpected size" for a while.
retry() {
    local wait=5
    until "$@"; do
        if [ "$wait" -gt 40 ]; then
            say "gave up: $*"
            return 1
        fi
        say "failed, retrying in $wait s: $*"
        sleep "$wait"
        wait=$((wait * 2))
    done
}

# system_site RELEASE FALLBACK: the mirror this system is configured to use for RELEASE.
system_site() {
    local site
    site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$1" '$2 == release { print $1; exit }')
    printf '%s\n' "${site:-$2}"
}

# private_apt_setup NAME ARCH TYPE...: make the state for one use and fetch its lists; the types are
# deb and deb-src. Afterwards `private_apt get|cache ARGUMENTS...` works on it.
private_apt_setup() {
    local name=$1 arch=$2 site type
    shift 2
    private_apt_dir=$RINGONE_CACHE/apt-$name
    [ -r "$ringone_keyring" ] || die "$ringone_keyring is missing (package debian-archive-keyring)"
    mkdir -p "$private_apt_dir"/{etc,state/lists/partial,cache/archives/partial}
    : >"$private_apt_dir/status"
    site=$(system_site "$RINGONE_SUITE" http://deb.debian.org/debian)
    for type in "$@"; do
        printf '%s [arch=%s signed-by=%s] %s %s main\n' \
            "$type" "$arch" "$ringone_keyring" "$site" "$RINGONE_SUITE"
    done >"$private_apt_dir/etc/sources.list"
    cat >"$private_apt_dir/apt.conf" <<END
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
APT::Update::Post-Invoke-Success {};
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$private_apt_dir/state";
Dir::State::status "$private_apt_dir/status";
Dir::Cache "$private_apt_dir/cache";
Dir::Etc::sourcelist "$private_apt_dir/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
END
    retry private_apt get -q -o APT::Update::Error-Mode=any update >&2
}

private_apt() {
    local tool=$1
    shift
    APT_CONFIG=$private_apt_dir/apt.conf "apt-$tool" "$@"
}

# private_apt_download DIRECTORY PACKAGE...: refreshes the lists before a retry, because the file
# that is gone from the mirror is usually one its newer lists no longer name.
private_apt_download() {
    local directory=$1
    shift
    (cd "$directory" && retry private_apt_download_once "$@") >&2
}

private_apt_download_once() {
    private_apt get -q download "$@" || { private_apt get -q update; return 1; }
}

# private_apt_busybox DIRECTORY: the static busybox of the architecture that was set up.
private_apt_busybox() {
    private_apt_download "$1" busybox-static
    dpkg-deb --fsys-tarfile "$1"/busybox-static_*.deb | tar -x -O ./bin/busybox >"$1/busybox"
    chmod 755 "$1/busybox"
    rm "$1"/busybox-static_*.deb
}

private_apt_source() {
    local directory=$1
    shift
    (cd "$directory" && retry private_apt_source_once "$@") >&2
}

private_apt_source_once() {
    private_apt get -q source --download-only "$@" || { private_apt get -q update; return 1; }
}
