//! Distributions of gigabytes that a requirements file names for other parts of a project: machine learning that a
//! gateway, a page or a worker beside it never imports. They are left out, and that is told; all else of the file
//! stays, since much is imported late or by name.

use std::path::Path;

use plimsoll_diag::Diagnostic;

use crate::places;
use crate::python::distributions::normalize;
use crate::python::graph::Closure;
use crate::python::requirement::Requirement;

/// Distributions that fill hundreds of megabytes, and the modules besides their own name that come with them.
const HEAVY: &[(&str, &[&str])] = &[
    ("accelerate", &[]),
    ("auto-gptq", &[]),
    ("bitsandbytes", &[]),
    ("deepspeed", &[]),
    ("diffusers", &[]),
    ("flash-attn", &[]),
    ("jax", &[]),
    ("jaxlib", &[]),
    ("lightning", &[]),
    ("mxnet", &[]),
    ("openai-whisper", &["whisper"]),
    ("paddlepaddle", &["paddle"]),
    ("peft", &[]),
    ("pyspark", &[]),
    ("pytorch-lightning", &[]),
    ("ray", &[]),
    ("sentence-transformers", &[]),
    ("stable-baselines3", &[]),
    ("tensorflow", &[]),
    ("tensorflow-cpu", &["tensorflow"]),
    ("tensorflow-gpu", &["tensorflow"]),
    ("torch", &[]),
    ("torch-geometric", &[]),
    ("torchaudio", &[]),
    ("torchvision", &[]),
    ("transformers", &[]),
    ("triton", &[]),
    ("trl", &[]),
    ("ultralytics", &[]),
    ("vllm", &[]),
    ("xformers", &[]),
];

/// Modules that load such distributions by themselves where they are there: with one of them in reach nothing is left
/// out.
const LOADERS: &[&str] = &[
    "autogen",
    "bertopic",
    "chromadb",
    "crewai",
    "datasets",
    "docling",
    "easyocr",
    "evaluate",
    "faiss",
    "flair",
    "gensim",
    "gymnasium",
    "haystack",
    "keras",
    "keybert",
    "langchain",
    "langchain_community",
    "langchain_experimental",
    "langchain_huggingface",
    "llama_index",
    "mem0",
    "mlflow",
    "optimum",
    "optuna",
    "semantic_kernel",
    "shap",
    "spacy",
    "txtai",
    "unstructured",
    "verl",
    "wandb",
];

/// The requirements that a service surely does without, and those that stay. `None` where there is none of the first.
pub(crate) fn set_aside<'r>(
    requirements: &[&'r Requirement],
    closure: &Closure,
) -> Option<(Vec<&'r Requirement>, Vec<&'r Requirement>)> {
    let imported: Vec<&str> = closure
        .external
        .keys()
        .map(|module| module.split('.').next().unwrap_or(module))
        .collect();
    if imported.is_empty() || imported.iter().any(|module| LOADERS.contains(module)) {
        return None;
    }
    let own = |name: &str, modules: &[&str]| {
        imported
            .iter()
            .any(|module| normalize(module) == name || modules.contains(module))
    };
    // One of them brings the others: with one in reach all stay.
    if HEAVY.iter().any(|(name, modules)| own(name, modules)) {
        return None;
    }
    let (aside, kept): (Vec<_>, Vec<_>) = requirements
        .iter()
        .copied()
        .partition(|one| HEAVY.iter().any(|(name, _)| *name == one.name));
    (!aside.is_empty()).then_some((aside, kept))
}

/// What is told of them.
pub(crate) fn told(file: &Path, aside: &[&Requirement]) -> Option<Diagnostic> {
    let first = aside.first()?;
    let names: Vec<String> = aside.iter().map(|one| format!("`{}`", one.name)).collect();
    let (them, are) = match aside {
        [_] => ("it", "is"),
        _ => ("them", "are"),
    };
    Some(
        Diagnostic::note(format!(
            "{} of `{}` {are} not installed: nothing that is started imports {them}",
            names.join(", "),
            places::text(file),
        ))
        .at(first.span.clone())
        .hint("lock the dependencies, with a tool such as uv, to have all of them in every image"),
    )
}
