//! What is known of the settings of each backend.

use super::{Member, Reads, Refusal, Statement};

/// Chooses files by patterns of paths; `packages` and what lies below `src` lose the directories
/// above the package. A version may be read from a file, which the manifest names.
pub(super) fn hatchling(
    member: Member<'_>,
    own: &toml::Table,
    statement: &Statement<'_>,
) -> Result<Reads, Refusal> {
    const FILES: [&str; 8] = [
        "artifacts",
        "exclude",
        "ignore-vcs",
        "include",
        "only-include",
        "only-packages",
        "packages",
        "skip-excluded-dirs",
    ];
    let empty = toml::Table::new();
    member.lacks("hatch.toml")?;
    only(own, &["build", "envs", "metadata", "publish", "version"])?;
    let of = |parent, name| table(parent, name).unwrap_or(&empty);
    only(
        of(own, "metadata"),
        &["allow-direct-references", "allow-ambiguous-features"],
    )?;
    let version = of(own, "version");
    only(version, &["path", "pattern"])?;
    let build = of(own, "build");
    only(build, &[&FILES[..], &["targets"]].concat())?;
    let targets = of(build, "targets");
    only(targets, &["sdist", "wheel"])?;
    only(of(targets, "wheel"), &FILES)?;
    statement.leaves_only(match version.contains_key("path") {
        true => &["version"],
        false => &[],
    })?;
    Ok(Reads::default())
}

/// Copies modules by way of `build/lib`, where what lies there already would count. `setup.py` is
/// a program, `setup.cfg` has settings of commands. What is dynamic comes from named files, or as
/// an attribute of a module.
pub(super) fn setuptools(
    member: Member<'_>,
    own: &toml::Table,
    statement: &Statement<'_>,
) -> Result<Reads, Refusal> {
    for name in ["setup.py", "setup.cfg", "build"] {
        member.lacks(name)?;
    }
    only(
        own,
        &[
            "dynamic",
            "exclude-package-data",
            "include-package-data",
            "license-files",
            "package-data",
            "package-dir",
            "packages",
            "py-modules",
            "zip-safe",
        ],
    )?;
    if let Some(directories) = table(own, "package-dir") {
        only(directories, &[""])?;
    }
    let empty = toml::Table::new();
    let dynamic = table(own, "dynamic").unwrap_or(&empty);
    let fields: Vec<&str> = dynamic.keys().map(String::as_str).collect();
    statement.leaves_only(&fields)?;
    let mut reads = Reads::default();
    for (field, source) in dynamic {
        let sources: Vec<&toml::Table> = match (field.as_str(), source) {
            ("optional-dependencies", toml::Value::Table(groups)) => {
                groups.values().filter_map(toml::Value::as_table).collect()
            }
            (_, toml::Value::Table(source)) => vec![source],
            _ => return Err(format!("`{field}` is dynamic")),
        };
        for source in sources {
            only(source, &["attr", "file", "content-type"])?;
            if let Some(attribute) = source.get("attr").and_then(toml::Value::as_str) {
                let (module, name) = attribute.rsplit_once('.').unwrap_or_default();
                reads.0.extend(member.stated(module, name)?);
            }
        }
    }
    Ok(reads)
}

/// Copies the package or module that has the project's name, or another that is stated. What is
/// dynamic is read from its outermost module.
pub(super) fn flit(
    member: Member<'_>,
    own: &toml::Table,
    statement: &Statement<'_>,
) -> Result<Reads, Refusal> {
    let empty = toml::Table::new();
    only(own, &["module", "sdist"])?;
    only(table(own, "module").unwrap_or(&empty), &["name"])?;
    statement.leaves_only(&["version"])?;
    let mut reads = Reads::default();
    if statement.dynamic.is_empty() {
        return Ok(reads);
    }
    let manifest = member.text("pyproject.toml").unwrap_or_default();
    let document: toml::Table = manifest.parse().unwrap_or_default();
    let name = match table(own, "module") {
        Some(module) => module.get("name"),
        None => table(&document, "project").and_then(|project| project.get("name")),
    };
    let name = name.and_then(toml::Value::as_str).unwrap_or_default();
    let module = name.replace('-', "_");
    reads.0.extend(member.stated(&module, "__version__")?);
    let path = module.replace('.', "/");
    let others = ["version.py", "_version.py", "__version__.py"];
    reads
        .0
        .extend(others.map(|other| format!("{path}/{other}")));
    Ok(reads)
}

/// Chooses files by patterns; a `build` script and scripts that are files would be run or changed.
/// What is dynamic in `[project]` its own table states.
pub(super) fn poetry(
    _member: Member<'_>,
    own: &toml::Table,
    _statement: &Statement<'_>,
) -> Result<Reads, Refusal> {
    if own.contains_key("build") {
        return Err("it has a build script".to_string());
    }
    for package in own
        .get("packages")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
    {
        let package = package
            .as_table()
            .ok_or("an entry of `packages` is no table")?;
        only(package, &["include", "from", "format"])?;
    }
    if let Some(scripts) = table(own, "scripts")
        && !scripts.values().all(toml::Value::is_str)
    {
        return Err("it has scripts that are files".to_string());
    }
    Ok(Reads::default())
}

/// Chooses files by patterns; what lies in `package-dir` loses it.
pub(super) fn pdm(
    member: Member<'_>,
    own: &toml::Table,
    statement: &Statement<'_>,
) -> Result<Reads, Refusal> {
    let empty = toml::Table::new();
    member.lacks("pdm_build.py")?;
    member.lacks(".pdm-build")?;
    let build = table(own, "build").unwrap_or(&empty);
    only(
        build,
        &["excludes", "includes", "package-dir", "source-includes"],
    )?;
    let version = table(own, "version").unwrap_or(&empty);
    only(version, &["source", "path"])?;
    statement.leaves_only(match version.get("source").and_then(toml::Value::as_str) {
        Some("file") => &["version"],
        Some(_) => return Err("its version follows from something else".to_string()),
        None => &[],
    })?;
    Ok(Reads::default())
}

/// Copies one package, or a namespace of them.
pub(super) fn uv(
    _member: Member<'_>,
    own: &toml::Table,
    statement: &Statement<'_>,
) -> Result<Reads, Refusal> {
    let empty = toml::Table::new();
    only(
        table(own, "build-backend").unwrap_or(&empty),
        &[
            "default-excludes",
            "module-name",
            "module-root",
            "namespace",
            "source-exclude",
            "source-include",
            "wheel-exclude",
        ],
    )?;
    statement.leaves_only(&[])?;
    Ok(Reads::default())
}

pub(super) fn table<'t>(parent: &'t toml::Table, name: &str) -> Option<&'t toml::Table> {
    parent.get(name)?.as_table()
}

/// The texts of a list; nothing where there is none.
pub(super) fn texts(value: Option<&toml::Value>) -> Result<Vec<&str>, Refusal> {
    let list = value.and_then(toml::Value::as_array).into_iter().flatten();
    list.map(|entry| {
        entry
            .as_str()
            .ok_or_else(|| "a list holds no texts".to_string())
    })
    .collect()
}

/// Refuses settings of which nothing is known.
pub(super) fn only(settings: &toml::Table, known: &[&str]) -> Result<(), Refusal> {
    match settings.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("nothing is known of its setting `{key}`")),
        None => Ok(()),
    }
}
