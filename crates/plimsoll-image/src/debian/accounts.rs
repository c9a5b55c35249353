//! `/etc/passwd` and `/etc/group`.

use crate::layer::{Attributes, FileSet, FileSetError};

/// An account of the image, with a group of the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// Its home, an absolute path; made, and given to it.
    pub home: String,
}

impl User {
    /// The account that images of this project run as.
    pub fn nonroot() -> Self {
        Self {
            name: "nonroot".to_owned(),
            uid: 65532,
            gid: 65532,
            home: "/home/nonroot".to_owned(),
        }
    }
}

/// Accounts that Debian gives a fixed number and that packages refer to.
const FIXED: [(&str, u32, u32, &str); 7] = [
    ("root", 0, 0, "/root"),
    ("daemon", 1, 1, "/usr/sbin"),
    ("bin", 2, 2, "/bin"),
    ("sys", 3, 3, "/dev"),
    ("mail", 8, 8, "/var/mail"),
    ("www-data", 33, 33, "/var/www"),
    ("nobody", 65534, 65534, "/nonexistent"),
];

/// Groups without an account of the same name.
const GROUPS: [(&str, u32); 7] = [
    ("adm", 4),
    ("tty", 5),
    ("disk", 6),
    ("shadow", 42),
    ("utmp", 43),
    ("staff", 50),
    ("users", 100),
];

/// The files that know these accounts, and their homes.
pub(super) fn files(users: &[User]) -> Result<FileSet, FileSetError> {
    let nonroot = User::nonroot();
    let mut accounts: Vec<(&str, u32, u32, &str)> = FIXED.to_vec();
    accounts.extend(
        users
            .iter()
            .chain(
                std::iter::once(&nonroot)
                    .filter(|own| users.iter().all(|user| user.uid != own.uid)),
            )
            .map(|user| (user.name.as_str(), user.uid, user.gid, user.home.as_str())),
    );
    accounts.sort_by_key(|account| account.1);
    accounts.dedup_by_key(|account| account.1);
    let passwd: String = accounts
        .iter()
        .map(|(name, uid, gid, home)| {
            format!("{name}:x:{uid}:{gid}:{name}:{home}:/usr/sbin/nologin\n")
        })
        .collect();
    let mut groups: Vec<(&str, u32)> = accounts
        .iter()
        .map(|(name, _, gid, _)| (if *gid == 65534 { "nogroup" } else { name }, *gid))
        .chain(GROUPS)
        .collect();
    groups.sort_by_key(|group| group.1);
    groups.dedup_by_key(|group| group.1);
    let group: String = groups
        .iter()
        .map(|(name, gid)| format!("{name}:x:{gid}:\n"))
        .collect();
    let mut files = FileSet::new();
    files.file("etc/passwd", Attributes::FILE, passwd)?;
    files.file("etc/group", Attributes::FILE, group)?;
    for user in users.iter().chain([&nonroot]) {
        let attributes = Attributes::root(0o700).owned_by(user.uid, user.gid);
        files.directory(user.home.trim_start_matches('/'), attributes)?;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Content, Node};

    fn text(files: &FileSet, path: &str) -> String {
        match files.get(path) {
            Some(Node::File(_, Content::Bytes(bytes))) => String::from_utf8(bytes.clone()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn accounts_are_sorted_by_number() {
        let postgres = User {
            name: "postgres".into(),
            uid: 999,
            gid: 999,
            home: "/var/lib/postgresql".into(),
        };
        let files = files(&[postgres]).unwrap();
        insta::assert_snapshot!(text(&files, "etc/passwd"), @r#"
root:x:0:0:root:/root:/usr/sbin/nologin
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
postgres:x:999:999:postgres:/var/lib/postgresql:/usr/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"#);
        insta::assert_snapshot!(text(&files, "etc/group"), @r#"
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
www-data:x:33:
shadow:x:42:
utmp:x:43:
staff:x:50:
users:x:100:
postgres:x:999:
nonroot:x:65532:
nogroup:x:65534:
"#);
        assert!(
            matches!(files.get("home/nonroot"), Some(Node::Directory(a)) if (a.uid, a.mode) == (65532, 0o700))
        );
    }
}
