//! Databases that a program connects to when it starts, whatever its settings are.

use super::function::Function;
use crate::detection::NeedKind;

/// Drivers by the name that `sql.Open` knows them by.
const DRIVERS: &[(&str, NeedKind)] = &[
    ("postgres", NeedKind::Postgres),
    ("pgx", NeedKind::Postgres),
    ("mysql", NeedKind::Mysql),
    ("clickhouse", NeedKind::Clickhouse),
];

/// Calls that connect.
const CALLS: &[(&str, NeedKind)] = &[
    ("pgxpool.New", NeedKind::Postgres),
    ("pgxpool.NewWithConfig", NeedKind::Postgres),
    ("pgx.Connect", NeedKind::Postgres),
    ("mongo.Connect", NeedKind::Mongodb),
];

/// Notes a call that connects, with the texts among its arguments.
pub(super) fn call(name: &str, texts: &[String], function: &mut Function) {
    let by_driver = || {
        let driver = texts
            .first()
            .filter(|_| matches!(name, "sql.Open" | "sqlx.Open" | "sqlx.Connect"))?;
        DRIVERS.iter().find(|(known, _)| known == driver)
    };
    let found = CALLS
        .iter()
        .find(|(known, _)| *known == name)
        .or_else(by_driver);
    function.connects.extend(found.map(|(_, kind)| *kind));
}
