//! Users and groups by name, as the image knows them.

use std::io;

use super::view::View;

/// Whom a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) home: Option<String>,
}

/// A name that nobody in the image has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown(pub(super) String);

impl Account {
    /// Reads `user`, `user:group`, `1000:1000`; empty: root.
    pub(super) fn find(view: &View, text: &str) -> io::Result<Result<Self, Unknown>> {
        let passwd = view.text("etc/passwd")?.unwrap_or_default();
        let group = view.text("etc/group")?.unwrap_or_default();
        Ok(from_files(text, &passwd, &group))
    }
}

fn from_files(text: &str, passwd: &str, group: &str) -> Result<Account, Unknown> {
    let (user, named_group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (text, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = user.parse::<u32>().ok();
    let line = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let same = fields.first() == Some(&user)
            || number.is_some() && fields.get(2).and_then(|uid| uid.parse().ok()) == number;
        same.then_some(fields)
    });
    let field = |index: usize| line.as_ref().and_then(|fields| fields.get(index).copied());
    let uid = number
        .or_else(|| field(2)?.parse().ok())
        .ok_or_else(|| Unknown(user.to_owned()))?;
    let groups_of = |wanted: &str| {
        group.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(wanted)).then(|| fields.nth(1)?.parse().ok())?
        })
    };
    let gid = match named_group {
        Some(name) => name
            .parse()
            .ok()
            .or_else(|| groups_of(name))
            .ok_or_else(|| Unknown(name.to_owned()))?,
        None => field(3).and_then(|gid| gid.parse().ok()).unwrap_or(0),
    };
    let name = field(0).unwrap_or_default();
    let groups = match named_group {
        Some(_) => Vec::new(),
        None => group
            .lines()
            .filter_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                let member = !name.is_empty() && fields.get(3)?.split(',').any(|m| m == name);
                member.then(|| fields.get(2)?.parse().ok())?
            })
            .collect(),
    };
    Ok(Account {
        uid,
        gid,
        groups,
        home: field(5).filter(|home| !home.is_empty()).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n";
    const GROUP: &str = "root:x:0:\napp:x:1001:\ndocker:x:99:app,x\n";

    fn account(text: &str) -> Result<Account, Unknown> {
        from_files(text, PASSWD, GROUP)
    }

    #[test]
    fn names_and_numbers_are_found() {
        let app = account("app").unwrap();
        assert_eq!((app.uid, app.gid, app.groups), (1000, 1001, vec![99]));
        assert_eq!(account("1000").unwrap().home.unwrap(), "/home/app");
        assert_eq!(account("").unwrap().uid, 0);
        let mixed = account("app:docker").unwrap();
        assert_eq!((mixed.gid, mixed.groups), (99, vec![]));
        let unknown = account("7:8").unwrap();
        assert_eq!((unknown.uid, unknown.gid, unknown.home), (7, 8, None));
        assert_eq!(account("nobody"), Err(Unknown("nobody".into())));
        assert_eq!(account("app:x"), Err(Unknown("x".into())));
    }
}
