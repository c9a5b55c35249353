//! What a package's program needs, and how its image is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Evidence, Span, Spanned};
use plimsoll_model::{
    BuildRecipe, NodeBuild, NodeLayout, NodeManager, NodeServerRecipe, RecipeKind,
};

use super::manifest::Package;
use super::server::{Reached, Scene};
use super::start::Start;
use super::{absolute, insisting, keys, script, startup, through};
use crate::detection::NeedKind;
use crate::found::{Found, FoundVariable};
use crate::needs;
use crate::places;
use crate::tree::Tree;

impl Scene<'_> {
    /// Variables, needs and the recipe.
    pub(super) fn finish(
        &self,
        mut found: Found,
        start: Start,
        layout: NodeLayout,
        reached: &Reached<'_>,
        port: Option<u16>,
    ) -> Found {
        let package = self.package;
        found
            .service
            .files
            .extend(reached.iter().map(|(path, _)| std::sync::Arc::from(*path)));
        let running = startup::names(reached.iter().copied());
        for (_, facts) in reached {
            found.variables.extend(facts.sources.variables_of(&running));
        }
        let all = reached.iter().map(|(_, facts)| *facts);
        found.variables.extend(through::variables(all, &running));
        let filled = |name: &str| {
            let mut all = reached.iter().map(|(_, facts)| &facts.sources.filled);
            all.any(|filled| filled.contains(name))
        };
        for variable in found.variables.iter_mut().filter(|one| filled(&one.name)) {
            variable.required = false;
            variable.one_of.clear();
        }
        let given = |name: &str| start.environment.iter().any(|(known, _)| known == name);
        found
            .variables
            .retain(|variable| !given(&variable.name) && !is_the_platforms(&variable.name));
        let imports = |library: &str| {
            let below = format!("{library}/");
            let mut modules = reached.iter().flat_map(|(_, facts)| &facts.imports);
            modules.any(|(module, _)| module == library || module.starts_with(&below))
        };
        insisting::add(package, &imports, &mut found.variables);
        let read = keys::read_by_libraries(reached.iter().map(|(_, facts)| *facts));
        for variable in read.into_iter().filter(|variable| !given(&variable.name)) {
            let mut known = found.variables.iter();
            if !known.any(|one| one.name == variable.name) {
                found.variables.push(variable);
            }
        }
        let mut imported: Vec<_> = reached
            .iter()
            .flat_map(|(path, facts)| facts.imports.iter().map(|import| (*path, import)))
            .filter_map(|(path, (module, span))| {
                let kind = needs::of_node_module(module)?;
                // Another package of the tree declares what its own files import.
                let package = self.files.sibling_of(path).unwrap_or(package);
                let runtime = |(name, _, runtime): &(String, Spanned<String>, bool)| {
                    *runtime && (name == module || module.starts_with(&format!("{name}/")))
                };
                let declared = package.dependencies.iter().any(runtime);
                declared.then(|| (kind, true, span.clone(), module.clone()))
            })
            .collect();
        let beside: BTreeMap<&Path, &Package> = reached
            .iter()
            .filter_map(|(path, _)| self.files.sibling_of(path))
            .map(|package| (package.directory.as_path(), package))
            .collect();
        let beside = beside
            .into_values()
            .map(|package| prisma_schema(self.tree, package));
        let own = prisma_schema_around(self.tree, package, reached);
        for schema in beside.chain([own]) {
            let Some(prisma) = schema.and_then(|schema| prisma(self.tree, &schema)) else {
                continue;
            };
            // That the code checks it, too, changes nothing; where it has a default, it is there.
            let mut known = found.variables.iter();
            let lacks = |name: &String| {
                !known.any(|one| one.name == *name && one.default.is_some()) && !given(name)
            };
            if let Some(name) = prisma.address.filter(lacks) {
                let mut variable = demanded(&name, prisma.span.clone());
                variable.required = imports("@prisma/client");
                found.variables.push(variable);
            }
            imported.push((prisma.kind, true, prisma.span, "Prisma".to_owned()));
        }
        let by_mapper = match MAPPERS.iter().any(|mapper| imports(mapper)) {
            true => mapped(package),
            false => Vec::new(),
        };
        let only = by_mapper.len() == 1;
        imported.extend(
            by_mapper
                .iter()
                .map(|(kind, span, name)| (*kind, only, span.clone(), name.clone())),
        );
        let told: Vec<_> = found
            .variables
            .iter()
            .map(crate::found::FoundVariable::told)
            .collect();
        found.needs = needs::needs(&imported, &told);
        // It is connected to when the program starts.
        for need in found.needs.iter_mut().filter(|_| only) {
            need.required |= need.kind == by_mapper[0].0 && need.how.is_some();
        }
        let bun = start.command.first().is_some_and(|word| word == "bun");
        let runs_sources = start
            .command
            .first()
            .is_some_and(|word| matches!(word.as_str(), "tsx" | "ts-node" | "bun"));
        let build = script::builder(package, &start.name).filter(|name| {
            let line = package.script(name).map_or("", |line| line.as_str());
            let compiles = line.starts_with("tsc") || line.starts_with("bun build");
            self.lacks_entry(&start) || *name == "build" && !(runs_sources && compiles)
        });
        match build.and_then(|name| package.script(name)) {
            Some(line) => found.service.evidence.push(Evidence::new(
                line.span.clone().unwrap_or_else(|| package.span.clone()),
                format!("`{}` builds it", line.value),
            )),
            None if self.built.is_some() => {}
            None => self.tell_of_missing_entry(&start, &mut found),
        }
        let mut system_packages = Vec::new();
        if package.depends_on("@prisma/client") {
            found.service.packages.push("openssl".to_owned());
            system_packages.push(Spanned::new("openssl".to_owned(), package.span.clone()));
            found.problems.extend(self.ungenerated());
        }
        let manager = package.manager.unwrap_or(match bun {
            true => NodeManager::Bun,
            false => NodeManager::Npm,
        });
        let working_dir = match &layout {
            NodeLayout::Application if !self.place.member.as_os_str().is_empty() => {
                Path::new(crate::python::IMAGE_ROOT).join(&self.place.member)
            }
            NodeLayout::Application | NodeLayout::Standalone { .. } => {
                PathBuf::from(crate::python::IMAGE_ROOT)
            }
        };
        let member = match self.place.member.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => self.place.member.clone(),
        };
        found.service.command.clone_from(&start.command);
        found.service.working_dir.clone_from(&working_dir);
        found.service.recipe = Some(BuildRecipe {
            context: absolute(self.tree, &self.place.context),
            kind: RecipeKind::NodeServer(NodeServerRecipe {
                root: member,
                manager,
                lock: package
                    .lock
                    .as_ref()
                    .map(|lock| places::below(lock, &self.place.context)),
                node: package.node_range(),
                build: match &self.built {
                    Some(built) => Some(built.by.clone()),
                    None => build.map(|script| NodeBuild::Script(script.to_owned())),
                },
                layout,
                build_environment: Vec::new(),
            }),
            system_packages,
            environment: start.environment,
            command: start.command,
            working_dir,
            ports: port.into_iter().collect(),
            pages: Vec::new(),
        });
        found
    }

    /// Says so where nothing generates the client of a Prisma schema: install scripts of packages,
    /// which would, run only where the project allows them.
    fn ungenerated(&self) -> Option<Diagnostic> {
        const CLIENT: &str = "@prisma/client";
        let package = self.package;
        let schema = prisma_schema(self.tree, package)?;
        let generates = ["postinstall", "prebuild", "build"].iter().any(|name| {
            package
                .script(name)
                .is_some_and(|line| line.contains("generate") || line.contains("prisma"))
        });
        // Beside the dependency itself, only a list of what may run names it.
        let manifest = self.tree.source(&package.directory.join("package.json"));
        let workspace = self
            .tree
            .source(&self.place.context.join("pnpm-workspace.yaml"));
        let is_allowed = manifest.is_some_and(|text| text.matches(CLIENT).count() > 1)
            || workspace.is_some_and(|text| text.contains(CLIENT));
        (!generates && !is_allowed).then(|| {
            Diagnostic::warning(
                "no script of its build runs `prisma generate`, so that `@prisma/client` is empty in its image",
            )
            .at(Span::line(self.tree.shown(&schema), 1))
            .hint("write `\"postinstall\": \"prisma generate\"` among the scripts of its `package.json`")
        })
    }

    /// Says so where a command starts a file that nothing makes.
    fn tell_of_missing_entry(&self, start: &Start, found: &mut Found) {
        if let Some(file) = self.made(start).filter(|_| start.command[0] == "node") {
            found.problems.push(
                Diagnostic::warning(format!("starts `{file}`, which no `build` script makes"))
                    .at(start.evidence.span.clone())
                    .hint("add a script `build` that makes it"),
            );
        }
    }

    /// Whether a command starts a file that only a build makes.
    fn lacks_entry(&self, start: &Start) -> bool {
        self.made(start).is_some()
    }

    /// The file among a command's words that is not in the tree and stands where builds leave theirs.
    fn made<'s>(&self, start: &'s Start) -> Option<&'s str> {
        let mut words = start.command.iter().skip(1).map(String::as_str);
        words.find(|word| {
            let output = ["dist/", "build/", "out/", "lib/"];
            let inside = word.trim_start_matches("./");
            output.iter().any(|start| inside.starts_with(start))
                && places::within(&self.package.directory, word).is_none_or(|path| {
                    !self.tree.has_file(&path) && !self.tree.has_file(&path.with_extension("js"))
                })
        })
    }
}

/// Libraries that map a database to objects, and load its driver by the name in their settings.
const MAPPERS: &[&str] = &[
    "typeorm",
    "@nestjs/typeorm",
    "sequelize",
    "sequelize-typescript",
    "@nestjs/sequelize",
    "knex",
    "objection",
    "@mikro-orm/core",
    "@mikro-orm/nestjs",
    "drizzle-orm",
    "@prisma/adapter-pg",
    "@prisma/adapter-mariadb",
];

/// Drivers that such libraries load for a database in a file.
const EMBEDDED: &[&str] = &[
    "sqlite3",
    "better-sqlite3",
    "sql.js",
    "libsql",
    "@libsql/client",
];

/// The databases whose drivers a package declares; none where it may keep its data in a file as well.
fn mapped(package: &Package) -> Vec<(NeedKind, Span, String)> {
    let declared = package
        .dependencies
        .iter()
        .filter(|(_, _, runtime)| *runtime);
    if declared
        .clone()
        .any(|(name, ..)| EMBEDDED.contains(&name.as_str()))
    {
        return Vec::new();
    }
    let drivers = ["pg", "postgres", "mysql", "mysql2", "mariadb"];
    let mut found: Vec<(NeedKind, Span, String)> = Vec::new();
    for (name, version, _) in declared.filter(|(name, ..)| drivers.contains(&name.as_str())) {
        let kind = needs::of_node_module(name);
        let span = version.span.clone();
        if let (Some(kind), Some(span)) = (kind, span)
            && found.iter().all(|(known, ..)| *known != kind)
        {
            found.push((kind, span, name.clone()));
        }
    }
    found
}

/// Variables that the image or the platform sets.
fn is_the_platforms(name: &str) -> bool {
    matches!(
        name,
        "HOME"
            | "PATH"
            | "CI"
            | "TZ"
            | "PWD"
            | "DEBUG"
            | "NODE_ENV"
            | "NODE_OPTIONS"
            | "VERCEL"
            | "VERCEL_URL"
            | "VERCEL_ENV"
            | "NEXT_RUNTIME"
            | "npm_package_version"
            | "npm_lifecycle_event"
            | "npm_config_user_agent"
    )
}

/// Where Prisma's schema lies unless a manifest says otherwise.
const PRISMA_SCHEMAS: [&str; 3] = [
    "prisma/schema.prisma",
    "schema.prisma",
    "prisma/schema/schema.prisma",
];

/// The Prisma schema of a package.
fn prisma_schema(tree: &Tree, package: &Package) -> Option<PathBuf> {
    let stated = package.prisma_schema.as_deref();
    stated
        .into_iter()
        .chain(PRISMA_SCHEMAS)
        .filter_map(|path| places::within(&package.directory, path))
        .find(|path| tree.has_file(path))
}

/// The same of the package of a program, whose part of it may have a schema of its own: an application of Nx has a
/// directory, and no manifest.
fn prisma_schema_around(tree: &Tree, package: &Package, reached: &Reached<'_>) -> Option<PathBuf> {
    let stated = || prisma_schema(tree, package);
    let Some((entry, _)) = reached.first() else {
        return stated();
    };
    let around = entry.ancestors().skip(1);
    let mut inside = around.take_while(|directory| *directory != package.directory);
    let closer = inside.find_map(|directory| {
        let mut usual = PRISMA_SCHEMAS.iter().map(|path| directory.join(path));
        usual.find(|path| tree.has_file(path))
    });
    closer.or_else(stated)
}

/// What a Prisma schema says of its database.
struct Prisma {
    kind: NeedKind,
    /// The variable that says where it is: `url = env("DATABASE_URL")`.
    address: Option<String>,
    span: Span,
}

/// What the generated client does not work without.
fn demanded(name: &str, span: Span) -> FoundVariable {
    FoundVariable {
        required: true,
        why: format!("Prisma reads `{name}`"),
        ..FoundVariable::read(name, None, span)
    }
}

/// The database of a Prisma schema.
fn prisma(tree: &Tree, path: &Path) -> Option<Prisma> {
    let text = tree.source(path)?;
    let mut inside = false;
    let address = text.lines().find_map(|line| {
        let value = line.trim().strip_prefix("url")?.trim_start();
        let value = value.strip_prefix('=')?.trim_start();
        let name = value.strip_prefix("env(")?.split('"').nth(1)?;
        Some(name.to_owned())
    });
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        inside = (inside || line.starts_with("datasource ")) && !line.starts_with('}');
        let Some(provider) = line.strip_prefix("provider").filter(|_| inside) else {
            continue;
        };
        let provider = provider
            .trim_start_matches([' ', '='])
            .trim_matches(['"', ' ']);
        let kind = match provider {
            "postgresql" | "postgres" => NeedKind::Postgres,
            "mysql" => NeedKind::Mysql,
            "mongodb" => NeedKind::Mongodb,
            _ => return None,
        };
        let span = Span::line(tree.shown(path), index as u32 + 1);
        return Some(Prisma {
            kind,
            address,
            span,
        });
    }
    None
}
