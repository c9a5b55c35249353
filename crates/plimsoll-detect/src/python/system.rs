//! Debian packages that a service needs at run time beside Python.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};

use crate::python::dependencies::Dependencies;
use crate::python::distributions::provider;
use crate::python::graph::Closure;
use crate::python::module::Module;
use crate::python::value::Value;

/// What a distribution needs: distribution, packages.
#[rustfmt::skip]
const BY_DISTRIBUTION: &[(&str, &[&str])] = &[
    ("gitpython", &["git"]),
    ("pygit2", &[]),
    ("psycopg2", &["libpq5"]),
    ("mysqlclient", &["libmariadb3"]),
    ("python-magic", &["libmagic1"]),
    ("opencv-python", &["libgl1", "libglib2.0-0"]),
    ("opencv-contrib-python", &["libgl1", "libglib2.0-0"]),
    ("pytesseract", &["tesseract-ocr"]),
    ("pdf2image", &["poppler-utils"]),
    ("pydub", &["ffmpeg"]),
    ("ffmpeg-python", &["ffmpeg"]),
    ("openai-whisper", &["ffmpeg"]),
    ("graphviz", &["graphviz"]),
    ("pydot", &["graphviz"]),
    ("pyodbc", &["unixodbc"]),
    ("pypandoc", &["pandoc"]),
    ("weasyprint", &["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"]),
    ("cairosvg", &["libcairo2"]),
    ("pycairo", &["libcairo2"]),
    ("lightgbm", &["libgomp1"]),
    ("python-ldap", &["libldap-2.5-0"]),
    ("pyzbar", &["libzbar0"]),
    ("sounddevice", &["libportaudio2"]),
    ("pyaudio", &["libportaudio2"]),
    ("pdfkit", &["wkhtmltopdf"]),
    ("usb", &["libusb-1.0-0"]),
];

/// Programs that code starts, and the packages they come in.
#[rustfmt::skip]
const BY_PROGRAM: &[(&str, &str)] = &[
    ("git", "git"),
    ("ffmpeg", "ffmpeg"),
    ("ffprobe", "ffmpeg"),
    ("pandoc", "pandoc"),
    ("tesseract", "tesseract-ocr"),
    ("pdftotext", "poppler-utils"),
    ("dot", "graphviz"),
    ("curl", "curl"),
    ("ssh", "openssh-client"),
    ("rsync", "rsync"),
    ("pg_dump", "postgresql-client"),
    ("psql", "postgresql-client"),
    ("node", "nodejs"),
    ("convert", "imagemagick"),
    ("rg", "ripgrep"),
];

/// The packages a service needs, each with the place that shows it.
pub(crate) fn packages(
    modules: &[Arc<Module>],
    closure: &Closure,
    dependencies: &Dependencies,
) -> Vec<Spanned<String>> {
    let mut found: BTreeMap<&'static str, Span> = BTreeMap::new();
    for (module, external) in &closure.external {
        let Some(distribution) = provider(module, &dependencies.declared) else {
            continue;
        };
        for (_, packages) in BY_DISTRIBUTION
            .iter()
            .filter(|(name, _)| *name == distribution)
        {
            for package in *packages {
                found
                    .entry(package)
                    .or_insert_with(|| external.span.clone());
            }
        }
        let carries_library = dependencies.declared.contains("psycopg-binary")
            || dependencies.declared.contains("psycopg-c");
        if distribution == "psycopg" && !carries_library {
            found
                .entry("libpq5")
                .or_insert_with(|| external.span.clone());
        }
    }
    for module in modules {
        for placed in &module.calls {
            let starts = module.callee(&placed.call).is_some_and(|callee| {
                callee.starts_with("subprocess.") || callee.starts_with("asyncio.create_subprocess")
            });
            if !starts {
                continue;
            }
            let program = match placed.call.arguments.first() {
                Some(Value::List(words)) => words.first().and_then(Value::as_text),
                Some(Value::Text(line)) => line.split_whitespace().next(),
                _ => None,
            };
            let package = program.and_then(|program| {
                BY_PROGRAM
                    .iter()
                    .find(|(name, _)| *name == program)
                    .map(|(_, package)| *package)
            });
            if let Some(package) = package {
                found
                    .entry(package)
                    .or_insert_with(|| module.span(placed.call.place));
            }
        }
    }
    found
        .into_iter()
        .map(|(package, span)| Spanned::new(package.to_owned(), span))
        .collect()
}
