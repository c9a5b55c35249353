//! Programs that make the files of a site out of sources: how each is called, and where it leaves the files.

use std::path::{Path, PathBuf};

use super::framework::Settings;
use super::manifest::Package;
use crate::location::Location;
use crate::tree::Tree;

/// A program that makes a site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generator {
    /// The distribution that shows it.
    pub(super) distribution: &'static str,
    /// The name as people write it.
    pub(super) name: &'static str,
    /// The program that the script `build` runs.
    program: &'static str,
    /// The directory of its files, seen from where its sources are.
    output: &'static str,
    makes: Makes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Makes {
    Application,
    /// Pages about a project.
    Documentation,
}

const fn generator(
    distribution: &'static str,
    name: &'static str,
    program: &'static str,
    output: &'static str,
    makes: Makes,
) -> Generator {
    Generator {
        distribution,
        name,
        program,
        output,
        makes,
    }
}

use Makes::{Application, Documentation};

/// Those that build with others stand before them.
#[rustfmt::skip]
const GENERATORS: &[Generator] = &[
    generator("react-scripts", "Create React App", "react-scripts", "build", Application),
    generator("@vue/cli-service", "Vue CLI", "vue-cli-service", "dist", Application),
    generator("@astrojs/starlight", "Starlight", "astro", "dist", Documentation),
    generator("astro", "Astro", "astro", "dist", Application),
    generator("@quasar/app-vite", "Quasar", "quasar", "dist/spa", Application),
    generator("umi", "Umi", "umi", "dist", Application),
    generator("@umijs/max", "Umi", "max", "dist", Application),
    generator("gatsby", "Gatsby", "gatsby", "public", Application),
    generator("ember-cli", "Ember", "ember", "dist", Application),
    generator("preact-cli", "Preact CLI", "preact", "build", Application),
    generator("@rsbuild/core", "Rsbuild", "rsbuild", "dist", Application),
    generator("parcel", "Parcel", "parcel", "dist", Application),
    generator("webpack", "webpack", "webpack", "dist", Application),
    generator("@11ty/eleventy", "Eleventy", "eleventy", "_site", Application),
    generator("hexo", "Hexo", "hexo", "public", Application),
    generator("@docusaurus/core", "Docusaurus", "docusaurus", "build", Documentation),
    generator("vitepress", "VitePress", "vitepress", ".vitepress/dist", Documentation),
    generator("vuepress", "VuePress", "vuepress", ".vuepress/dist", Documentation),
];

/// Programs that run `react-scripts` with settings of the project's own.
const REWIRED: &[&str] = &["craco", "react-app-rewired", "rescripts"];

impl Generator {
    /// Whether the script `build` of a package runs it.
    fn runs(&self, package: &Package) -> bool {
        let rewired = || {
            let mut programs = REWIRED.iter();
            programs.any(|program| package.script_runs("build", program))
        };
        package.script_runs("build", self.program) || self.program == "react-scripts" && rewired()
    }

    /// The generator that a package's script `build` runs.
    pub(super) fn of(package: &Package) -> Option<Self> {
        // What others install is built into their pages; its own are there to try it out.
        let own = GENERATORS.iter().filter(|_| !package.library);
        own.copied().find(|generator| {
            package.depends_on(generator.distribution)
                && generator.runs(package)
                // It makes programs as well as pages.
                && (generator.name != "webpack" || package.depends_on("html-webpack-plugin"))
        })
    }

    /// Where its files are, relative to the package.
    pub(super) fn output(&self, tree: &Tree, package: &Package) -> PathBuf {
        if let Some(stated) = self.stated(tree, package) {
            return stated;
        }
        let sources = match self.distribution {
            // `vitepress build docs`.
            "vitepress" | "vuepress" => self.sources(package),
            _ => None,
        };
        Path::new(&sources.unwrap_or_default()).join(self.output)
    }

    /// Where the project says that its files go.
    fn stated(&self, tree: &Tree, package: &Package) -> Option<PathBuf> {
        let (options, files, key): (&[&str], &[&str], &str) = match self.distribution {
            "react-scripts" => {
                return super::script::assigned(package, "BUILD_PATH")
                    .map(|path| Location::written(path).beside());
            }
            "@vue/cli-service" => (&["--dest"], &["vue.config"], "outputDir"),
            "astro" => (&["--outDir", "--out-dir"], &["astro.config"], "outDir"),
            "umi" | "@umijs/max" => (&[], &[".umirc", "config/config"], "outputPath"),
            "preact-cli" => (&["--dest"], &[], ""),
            "ember-cli" => (&["--output-path", "-o"], &[], ""),
            "parcel" => (&["--dist-dir"], &[], ""),
            "webpack" => (
                &["--output-path", "-o"],
                &[
                    "webpack.config",
                    "webpack.prod",
                    "webpack.config.prod",
                    "webpack.common",
                ],
                "path",
            ),
            "@11ty/eleventy" => (&["--output"], &[], ""),
            "@docusaurus/core" => (&["--out-dir"], &[], ""),
            _ => return None,
        };
        let told = super::script::option(package, self.program, options);
        let configured = || {
            let files = files.iter().flat_map(|file| {
                ["js", "ts", "mjs", "cjs", "mts"].map(|end| format!("{file}.{end}"))
            });
            files
                .map(|file| package.directory.join(file))
                .filter(|path| tree.has_file(path))
                .find_map(|path| Settings::read(tree, &path)?.path(key))
        };
        match told {
            Some(told) => Some(Location::written(told).beside()),
            None => configured(),
        }
    }

    fn sources(&self, package: &Package) -> Option<String> {
        let names = super::script::called(package, "build");
        names.into_iter().find_map(|name| {
            let line = package.script(name)?;
            let mut words = line.split_whitespace();
            words.find(|word| *word == self.program)?;
            let mut rest = words.skip_while(|word| *word != "build").skip(1);
            let directory = rest.next().filter(|word| !word.starts_with(['-', '&']))?;
            Some(directory.trim_start_matches("./").to_owned())
        })
    }

    /// Why its site is no part of a project's stack, where it is none.
    pub(super) fn set_aside(&self, tree: &Tree, package: &Package) -> Option<&'static str> {
        let others = tree
            .files()
            .iter()
            .any(|file| !file.path.starts_with(&package.directory));
        (self.makes == Documentation && others)
            .then_some("makes the documentation of what is beside it")
    }
}
