//! Debian packages that compile what has no wheel: compilers, and headers by distribution.

use super::interpreter::Interpreter;

/// What Rust extensions are compiled with.
pub(super) const RUST: [&str; 2] = ["cargo", "rustc"];

/// What C and C++ extensions are compiled with.
pub(super) fn compilers(interpreter: &Interpreter) -> Vec<String> {
    let mut packages = vec![format!("libpython{}-dev", interpreter.minor)];
    let usual = [
        "bash",
        "binutils",
        "coreutils",
        "dash",
        "diffutils",
        "findutils",
        "g++",
        "gawk",
        "gcc",
        "grep",
        "gzip",
        "libc6-dev",
        "make",
        "perl-base",
        "pkgconf",
        "sed",
        "tar",
        "zlib1g-dev",
    ];
    packages.extend(usual.map(str::to_string));
    packages
}

/// What the sources of a distribution include: distribution, Debian packages.
#[rustfmt::skip]
const BY_DISTRIBUTION: &[(&str, &[&str])] = &[
    ("bcrypt", &["libffi-dev", "cargo", "rustc"]),
    ("cairocffi", &["libcairo2-dev", "libffi-dev"]),
    ("cffi", &["libffi-dev"]),
    ("cryptography", &["libffi-dev", "libssl-dev", "cargo", "rustc"]),
    ("dbus-python", &["libdbus-1-dev", "libglib2.0-dev"]),
    ("fiona", &["libgdal-dev"]),
    ("gdal", &["libgdal-dev"]),
    ("gevent", &["libffi-dev"]),
    ("h5py", &["libhdf5-dev"]),
    ("lxml", &["libxml2-dev", "libxslt1-dev"]),
    ("m2crypto", &["libssl-dev", "swig"]),
    ("mariadb", &["libmariadb-dev"]),
    ("mysqlclient", &["libmariadb-dev", "libmariadb-dev-compat"]),
    ("netcdf4", &["libnetcdf-dev", "libhdf5-dev"]),
    ("pillow", &["libjpeg62-turbo-dev", "libfreetype-dev", "libpng-dev", "libwebp-dev"]),
    ("psycopg-c", &["libpq-dev"]),
    ("psycopg2", &["libpq-dev"]),
    ("pyaudio", &["portaudio19-dev"]),
    ("pycairo", &["libcairo2-dev"]),
    ("pycurl", &["libcurl4-openssl-dev", "libssl-dev"]),
    ("pygit2", &["libgit2-dev", "libffi-dev"]),
    ("pygobject", &["libgirepository1.0-dev", "libcairo2-dev"]),
    ("pygraphviz", &["libgraphviz-dev"]),
    ("pylibmc", &["libmemcached-dev"]),
    ("pynacl", &["libsodium-dev", "libffi-dev"]),
    ("pyodbc", &["unixodbc-dev"]),
    ("pyproj", &["libproj-dev"]),
    ("python-ldap", &["libldap2-dev", "libsasl2-dev"]),
    ("python-snappy", &["libsnappy-dev"]),
    ("pyyaml", &["libyaml-dev"]),
    ("pyzmq", &["libzmq3-dev"]),
    ("rocksdb", &["librocksdb-dev"]),
    ("shapely", &["libgeos-dev"]),
    ("uwsgi", &["libpcre2-dev"]),
    ("xmlsec", &["libxmlsec1-dev", "libxml2-dev"]),
];

/// Debian packages that a distribution is compiled with.
pub(super) fn of(distribution: &str) -> &'static [&'static str] {
    BY_DISTRIBUTION
        .iter()
        .find(|(name, _)| *name == distribution)
        .map_or(&[], |(_, packages)| packages)
}

/// What compilers miss, by what they call it, and the Debian package that has it.
#[rustfmt::skip]
const BY_FILE: &[(&str, &str)] = &[
    ("alsa/asoundlib.h", "libasound2-dev"),
    ("cmake", "cmake"),
    ("curl/curl.h", "libcurl4-openssl-dev"),
    ("ffi.h", "libffi-dev"),
    ("freetype", "libfreetype-dev"),
    ("gdal-config", "libgdal-dev"),
    ("geos_c.h", "libgeos-dev"),
    ("git", "git"),
    ("gmp.h", "libgmp-dev"),
    ("graphviz/cgraph.h", "libgraphviz-dev"),
    ("hdf5.h", "libhdf5-dev"),
    ("jpeglib.h", "libjpeg62-turbo-dev"),
    ("lber.h", "libldap2-dev"),
    ("ldap.h", "libldap2-dev"),
    ("libpq-fe.h", "libpq-dev"),
    ("libxml/xmlversion.h", "libxml2-dev"),
    ("libxml/xpath.h", "libxml2-dev"),
    ("magic.h", "libmagic-dev"),
    ("mpfr.h", "libmpfr-dev"),
    ("mysql.h", "libmariadb-dev"),
    ("mysql_config", "libmariadb-dev"),
    ("openssl/opensslv.h", "libssl-dev"),
    ("openssl/ssl.h", "libssl-dev"),
    ("pg_config", "libpq-dev"),
    ("portaudio.h", "portaudio19-dev"),
    ("sasl/sasl.h", "libsasl2-dev"),
    ("snappy.h", "libsnappy-dev"),
    ("sodium.h", "libsodium-dev"),
    ("sql.h", "unixodbc-dev"),
    ("sqlite3.h", "libsqlite3-dev"),
    ("swig", "swig"),
    ("yaml.h", "libyaml-dev"),
    ("zlib.h", "zlib1g-dev"),
    ("zmq.h", "libzmq3-dev"),
];

/// Something that a compiler could not find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// The header or program.
    pub what: String,
    /// The Debian package that has it, where that is known.
    pub package: Option<&'static str>,
}

/// Reads what is missing out of what a build printed.
pub(super) fn missing(printed: &str) -> Option<Missing> {
    let what = printed.lines().find_map(|line| {
        if let Some((_, rest)) = line.split_once("fatal error: ") {
            let (file, _) = rest.split_once(": No such file")?;
            return Some(file.trim().to_string());
        }
        if let Some((before, _)) = line.split_once(" executable not found") {
            return before.split_whitespace().last().map(str::to_string);
        }
        if let Some((_, rest)) = line.split_once("No such file or directory: '") {
            let (file, _) = rest.split_once('\'')?;
            return (!file.contains('/')).then(|| file.to_string());
        }
        let (before, _) = line.split_once(": command not found")?;
        before.split([' ', ':']).next_back().map(str::to_string)
    })?;
    let package = BY_FILE
        .iter()
        .find(|(file, _)| *file == what)
        .map(|(_, package)| *package);
    Some(Missing { what, package })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_compiler_misses_is_read_and_known() {
        let read = |text: &str| missing(text).map(|found| (found.what, found.package));
        assert_eq!(
            read("x.c:3:10: fatal error: libpq-fe.h: No such file or directory\n"),
            Some(("libpq-fe.h".to_string(), Some("libpq-dev")))
        );
        assert_eq!(
            read("Error: pg_config executable not found.\n"),
            Some(("pg_config".to_string(), Some("libpq-dev")))
        );
        assert_eq!(
            read("fatal error: strange/thing.h: No such file or directory"),
            Some(("strange/thing.h".to_string(), None))
        );
        assert_eq!(
            read("FileNotFoundError: [Errno 2] No such file or directory: 'cmake'"),
            Some(("cmake".to_string(), Some("cmake")))
        );
        assert_eq!(read("error: something else"), None);
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(BY_DISTRIBUTION.is_sorted_by(|one, other| one.0 < other.0));
        assert!(BY_FILE.is_sorted_by(|one, other| one.0 < other.0));
    }
}
