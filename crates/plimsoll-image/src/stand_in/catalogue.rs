//! Which references there are stand-ins for.

use crate::debian::Suite;
use crate::layer::{FileSet, FileSetError};
use crate::registry::Reference;

use super::Recipe;
use super::servers::{self, Extension};
use super::systems::{self, System};

/// The recipe for a reference; `None` when there is none.
pub(super) fn find(reference: &Reference) -> Option<Result<Recipe, FileSetError>> {
    let name = known_name(reference)?;
    let tag = reference.tag.as_deref().unwrap_or("latest");
    let recipe = match name.as_str() {
        "postgres" => servers::postgres(postgres_suite(tag), major(tag), Extension::None),
        "pgvector/pgvector" | "ankane/pgvector" => {
            let tag = tag.trim_start_matches("pg");
            servers::postgres(postgres_suite(tag), major(tag), Extension::Vector)
        }
        "redis" => servers::redis(servers::REDIS),
        "valkey/valkey" => servers::redis(servers::VALKEY),
        "nginx" | "nginxinc/nginx-unprivileged" => servers::nginx(&name),
        "memcached" => servers::memcached(),
        "nats" => servers::nats(),
        "prom/prometheus" => servers::prometheus(),
        "caddy" => servers::caddy(),
        "prom/alertmanager" => servers::alertmanager(),
        "prom/blackbox-exporter" => servers::blackbox(),
        _ => Ok(exporter(&name)?),
    };
    Some(recipe)
}

/// An exporter of Prometheus that Debian has and that needs no configuration.
fn exporter(name: &str) -> Option<Recipe> {
    let (product, package, port) = match name {
        "prom/node-exporter" => ("Node exporter", "prometheus-node-exporter", "9100/tcp"),
        "prometheuscommunity/postgres-exporter" => (
            "PostgreSQL exporter",
            "prometheus-postgres-exporter",
            "9187/tcp",
        ),
        "oliver006/redis_exporter" => ("Redis exporter", "prometheus-redis-exporter", "9121/tcp"),
        _ => return None,
    };
    let files = FileSet::new();
    Some(servers::exporter(product, package, port, &[], files))
}

/// The system that a reference asks for; `None` when there is none.
pub(super) fn system(reference: &Reference) -> Option<System> {
    systems::find(&known_name(reference)?, reference)
}

/// The name as the default registry has it. Mirrors keep the official images' namespace.
fn known_name(reference: &Reference) -> Option<String> {
    if let Some((_, name)) = reference.name.rsplit_once("library/") {
        let official =
            reference.name.starts_with("library/") || reference.name.contains("/library/");
        return official.then(|| name.to_string());
    }
    let familiar = reference.familiar_name();
    (familiar == reference.name).then_some(familiar)
}

/// `16.4-alpine` → 16.
fn major(tag: &str) -> Option<u32> {
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The release whose PostgreSQL is the one asked for, or else the newest.
fn postgres_suite(tag: &str) -> Suite {
    match major(tag) {
        Some(15) => Suite::Bookworm,
        _ => Suite::Trixie,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(text: &str) -> Recipe {
        find(&text.parse().unwrap()).unwrap().unwrap()
    }

    #[test]
    fn the_release_with_the_wanted_postgres_is_chosen() {
        assert_eq!(
            recipe("postgres:15.6-bookworm").packages[0],
            "postgresql-15"
        );
        assert_eq!(recipe("postgres:16-alpine").packages[0], "postgresql-17");
        assert!(
            recipe("pgvector/pgvector:pg15")
                .packages
                .contains(&"postgresql-15-pgvector")
        );
    }

    #[test]
    fn data_lies_where_the_image_of_that_version_has_it() {
        let data = |text: &str| {
            let config = recipe(text).config;
            let found = config.environment.iter().find(|(name, _)| name == "PGDATA");
            (
                found.unwrap().1.clone(),
                config.volumes.into_iter().next().unwrap(),
            )
        };
        let usual = "/var/lib/postgresql/data".to_string();
        assert_eq!(data("postgres:16"), (usual.clone(), usual));
        let newer = "/var/lib/postgresql/18/docker".to_string();
        assert_eq!(
            data("postgres:18"),
            (newer, "/var/lib/postgresql".to_string())
        );
    }

    #[test]
    fn a_mirrors_official_images_count_and_others_of_the_name_do_not() {
        assert!(find(&"mirror.example/library/redis:7".parse().unwrap()).is_some());
        assert!(find(&"mirror.example/team/redis:7".parse().unwrap()).is_none());
        assert!(find(&"team/redis:7".parse().unwrap()).is_none());
    }
}
