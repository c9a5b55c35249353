//! Names of users to numbers, by the image's own `passwd` and `group`.

use thiserror::Error;

use super::spec::UserSpec;

/// Resolves `user[:group]`, names or numbers, and extra groups.
///
/// As Docker does: a number needs no entry; without `:group` the user's own entry gives the
/// primary group (0 where there is none) and its memberships in `group` become supplementary
/// groups; with `:group` they do not.
///
/// # Errors
/// A name that `passwd` or `group` does not hold.
pub fn resolve_user(
    passwd: &str,
    group: &str,
    user: &str,
    extra_groups: &[String],
) -> Result<UserSpec, UserError> {
    let (name, group_name) = match user.split_once(':') {
        Some((name, group_name)) => (name, Some(group_name).filter(|name| !name.is_empty())),
        None => (user, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let entry = passwd_entries(passwd).find(|entry| entry.name == name || entry.is_number(name));
    let (uid, primary, login) = match (&entry, name.parse::<u32>()) {
        (Some(entry), _) => (entry.uid, entry.gid, Some(entry.name)),
        (None, Ok(uid)) => (uid, 0, None),
        (None, Err(_)) => return Err(UserError::UnknownUser(name.to_owned())),
    };
    let mut additional_gids = Vec::new();
    let gid = match group_name {
        Some(group_name) => find_group(group, group_name)?,
        None => {
            additional_gids.extend(
                group_entries(group)
                    .filter(|entry| login.is_some_and(|login| entry.has_member(login)))
                    .map(|entry| entry.gid)
                    .filter(|gid| *gid != primary),
            );
            primary
        }
    };
    for extra in extra_groups {
        additional_gids.push(find_group(group, extra)?);
    }
    additional_gids.sort_unstable();
    additional_gids.dedup();
    Ok(UserSpec {
        uid,
        gid,
        additional_gids,
    })
}

/// Home directory of `uid`, where `passwd` names one.
pub fn home_of(passwd: &str, uid: u32) -> Option<&str> {
    passwd_entries(passwd)
        .find(|entry| entry.uid == uid)
        .map(|entry| entry.home)
        .filter(|home| home.starts_with('/'))
}

/// A user or group that the image does not know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UserError {
    /// No such user.
    #[error("the image has no user `{0}`")]
    UnknownUser(String),
    /// No such group.
    #[error("the image has no group `{0}`")]
    UnknownGroup(String),
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl PasswdEntry<'_> {
    fn is_number(&self, text: &str) -> bool {
        text.parse() == Ok(self.uid)
    }
}

fn passwd_entries(text: &str) -> impl Iterator<Item = PasswdEntry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = fields.nth(1)?.trim().parse().ok()?;
        let gid = fields.next()?.trim().parse().ok()?;
        let home = fields.nth(1).unwrap_or("");
        Some(PasswdEntry {
            name,
            uid,
            gid,
            home,
        })
    })
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl GroupEntry<'_> {
    fn has_member(&self, login: &str) -> bool {
        self.members.split(',').any(|member| member.trim() == login)
    }
}

fn group_entries(text: &str) -> impl Iterator<Item = GroupEntry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = fields.nth(1)?.trim().parse().ok()?;
        let members = fields.next().unwrap_or("");
        Some(GroupEntry { name, gid, members })
    })
}

fn find_group(text: &str, name: &str) -> Result<u32, UserError> {
    group_entries(text)
        .find(|entry| entry.name == name)
        .map(|entry| entry.gid)
        .or_else(|| name.parse().ok())
        .ok_or_else(|| UserError::UnknownGroup(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                          postgres:x:999:998:,,,:/var/lib/postgresql:/bin/bash\n\
                          broken line\n\
                          1234:x:77:78::/:\n";
    const GROUP: &str =
        "root:x:0:\nssl-cert:x:105:postgres,other\npostgres:x:998:\nadm:x:4:postgres\n";

    fn resolve(user: &str) -> Result<(u32, u32, Vec<u32>), UserError> {
        resolve_user(PASSWD, GROUP, user, &[])
            .map(|user| (user.uid, user.gid, user.additional_gids))
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(resolve(""), Ok((0, 0, vec![])));
        assert_eq!(resolve("postgres"), Ok((999, 998, vec![4, 105])));
        assert_eq!(resolve("999"), Ok((999, 998, vec![4, 105])));
        assert_eq!(resolve("postgres:adm"), Ok((999, 4, vec![])));
        assert_eq!(resolve("65532"), Ok((65532, 0, vec![])));
        assert_eq!(resolve("65532:65533"), Ok((65532, 65533, vec![])));
        // An all-digit name wins over the number, as in Docker.
        assert_eq!(resolve("1234"), Ok((77, 78, vec![])));
    }

    #[test]
    fn unknown_names_are_errors() {
        assert_eq!(
            resolve("nginx"),
            Err(UserError::UnknownUser("nginx".to_owned()))
        );
        assert_eq!(
            resolve("0:docker"),
            Err(UserError::UnknownGroup("docker".to_owned()))
        );
    }

    #[test]
    fn extra_groups_are_added() {
        let user = resolve_user(PASSWD, GROUP, "0", &["adm".to_owned(), "7".to_owned()]).unwrap();
        assert_eq!(user.additional_gids, [4, 7]);
    }

    #[test]
    fn home_directories() {
        assert_eq!(home_of(PASSWD, 999), Some("/var/lib/postgresql"));
        assert_eq!(home_of(PASSWD, 5), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(passwd in "[a-z0-9:\n,/]{0,80}", group in "[a-z0-9:\n,]{0,80}", user in "[a-z0-9:]{0,12}") {
            let _ = resolve_user(&passwd, &group, &user, &[]);
        }
    }
}
