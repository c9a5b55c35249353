set -eu
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=315532801
umask 022
# Nothing of what made this root runnable counts: dpkg installs all of it anew.
rm -rf /var/lib/dpkg/status.d /etc/passwd /etc/group /etc/shadow /etc/gshadow
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/alternatives /etc/dpkg/dpkg.cfg.d \
  /etc/apt/apt.conf.d /etc/apt/sources.list.d /usr/sbin
: > /var/lib/dpkg/status
: > /var/lib/dpkg/available
cat > /etc/dpkg/dpkg.cfg.d/image <<'END'
# An image holds no documentation but licences, and is made anew when it breaks.
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/groff/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/linda/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
END
cat > /etc/apt/apt.conf.d/image <<'END'
// What is installed is not kept a second time.
APT::Keep-Downloaded-Packages "false";
Binary::apt::APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::AutoRemove::SuggestsImportant "false";
END
# dpkg wants to see it before its package is there.
[ -e /usr/sbin/ldconfig ] || printf '#!/bin/sh\n' > /usr/sbin/ldconfig
chmod 755 /usr/sbin/ldconfig
# No service is started in an image.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
install() {
  dpkg --force-depends --force-confnew --force-confdef --force-overwrite --install "$@" < /dev/null
}
install /packages/base-passwd.deb
install /packages/*.deb
dpkg --configure --pending
dpkg --audit
# Root logs in nowhere.
[ -e /etc/shadow ] || pwconv
rm -rf /var/log/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig/aux-cache \
  /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /var/lib/apt/lists/* /var/cache/apt/* \
  /etc/.pwd.lock
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/log/apt
