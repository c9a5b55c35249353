//! Values of variables that this machine makes up: passwords that only the stack itself uses.
//!
//! A project without a Compose file gets them where detection asks for one; a Compose file names
//! the variables under `x-plimsoll`, `generate`. Both ways give the same value, so that data of a
//! stack outlives the day on which its project gets a Compose file. What the environment or `.env`
//! sets goes before what is made up.

use std::collections::BTreeSet;

use plimsoll_model::compose::{self, LoadOptions};
use plimsoll_model::yaml;

use crate::failure::Failure;
use crate::machine_key::MachineKey;
use crate::settings::Settings;

/// What the name of a variable ends with that holds the password of a service.
const PASSWORD: &str = "_PASSWORD";

/// The variable for the password of a service; a secret of the project's own is called by its
/// variable already.
pub(crate) fn variable(of: &str) -> String {
    if of.chars().any(|c| c.is_ascii_lowercase()) {
        let service = of.to_ascii_uppercase().replace('-', "_");
        format!("{service}{PASSWORD}")
    } else {
        of.to_owned()
    }
}

/// What a variable's value is for: the reverse of [`variable`].
fn purpose(variable: &str) -> String {
    match variable.strip_suffix(PASSWORD) {
        Some(service) => service.to_ascii_lowercase().replace('_', "-"),
        None => variable.to_owned(),
    }
}

/// Gives the variables that the Compose files want made up their values.
pub(crate) fn fill(settings: &Settings, options: &mut LoadOptions) -> Result<(), Failure> {
    let mut names = wanted(options);
    if names.is_empty() {
        return Ok(());
    }
    let stated = compose::dotenv(options)?;
    names.retain(|name| !stated.contains_key(name) && !options.environment.contains_key(name));
    if names.is_empty() {
        return Ok(());
    }
    stand_in(&names, options);
    let project = match compose::resolve(options) {
        Ok(resolved) => resolved.name,
        // What is wrong is told by who loads the files.
        Err(_) => return Ok(()),
    };
    let key = MachineKey::open(&settings.data)?;
    for name in names {
        let value = key.password(&project, &purpose(&name)).expose().clone();
        options.environment.insert(name, value);
    }
    Ok(())
}

/// Gives them a reference to themselves: what is made of the files holds no value of this machine.
pub(crate) fn refer(options: &mut LoadOptions) {
    let names = wanted(options);
    stand_in(&names, options);
}

fn stand_in(names: &BTreeSet<String>, options: &mut LoadOptions) {
    for name in names {
        let itself = format!("${{{name}}}");
        options.environment.insert(name.clone(), itself);
    }
}

/// The names under `x-plimsoll`, `generate`, of the files that will be loaded. A file that cannot
/// be read wants nothing; whoever loads it tells why.
fn wanted(options: &LoadOptions) -> BTreeSet<String> {
    let discovered = || {
        let found = compose::discover(&options.directory);
        found.into_iter().flatten().collect()
    };
    let files = if options.files.is_empty() {
        discovered()
    } else {
        options.files.clone()
    };
    let mut names = BTreeSet::new();
    for file in files {
        let Ok(text) = fs_err::read_to_string(&file) else {
            continue;
        };
        if !text.contains("generate") {
            continue;
        }
        let roots = yaml::parse(&text, file.as_path()).unwrap_or_default();
        let lists = roots
            .iter()
            .filter_map(|root| root.find(&["x-plimsoll", "generate"])?.as_list());
        let texts = lists.flatten().filter_map(|node| node.as_text());
        names.extend(texts.map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_says_what_its_value_is_for() {
        for of in ["postgres", "vector-store", "SECRET_KEY", "JWT_SECRET"] {
            assert_eq!(purpose(&variable(of)), of);
        }
    }
}
