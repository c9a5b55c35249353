//! Keys of models that a library reads from the environment by itself, where the code hands it none.

use plimsoll_diag::Span;
use tree_sitter::Node;

use super::facts::FileFacts;
use super::sources;
use crate::detection::VariableKind;
use crate::found::FoundVariable;
use crate::syntax::Source;

/// A library, and the variable that it reads.
#[rustfmt::skip]
const LIBRARIES: &[(&str, &str)] = &[
    ("@ai-sdk/openai", "OPENAI_API_KEY"),
    ("@ai-sdk/anthropic", "ANTHROPIC_API_KEY"),
    ("@ai-sdk/google", "GOOGLE_GENERATIVE_AI_API_KEY"),
    ("@ai-sdk/groq", "GROQ_API_KEY"),
    ("@ai-sdk/mistral", "MISTRAL_API_KEY"),
    ("@ai-sdk/cohere", "COHERE_API_KEY"),
    ("@ai-sdk/deepseek", "DEEPSEEK_API_KEY"),
    ("@ai-sdk/xai", "XAI_API_KEY"),
    ("@ai-sdk/fireworks", "FIREWORKS_API_KEY"),
    ("@ai-sdk/togetherai", "TOGETHER_AI_API_KEY"),
    ("@ai-sdk/perplexity", "PERPLEXITY_API_KEY"),
    ("@openrouter/ai-sdk-provider", "OPENROUTER_API_KEY"),
    ("openai", "OPENAI_API_KEY"),
    ("@openai/agents", "OPENAI_API_KEY"),
    ("@anthropic-ai/sdk", "ANTHROPIC_API_KEY"),
    ("groq-sdk", "GROQ_API_KEY"),
    ("@langchain/openai", "OPENAI_API_KEY"),
    ("@langchain/anthropic", "ANTHROPIC_API_KEY"),
    ("@langchain/google-genai", "GOOGLE_API_KEY"),
    ("@langchain/groq", "GROQ_API_KEY"),
    ("@langchain/mistralai", "MISTRAL_API_KEY"),
    ("@langchain/tavily", "TAVILY_API_KEY"),
    ("@llamaindex/openai", "OPENAI_API_KEY"),
    ("@llamaindex/anthropic", "ANTHROPIC_API_KEY"),
];

/// Libraries that read more than a key, whatever the code hands them.
#[rustfmt::skip]
const SETTINGS: &[(&str, &[&str])] = &[
    ("better-auth", &["BETTER_AUTH_SECRET", "BETTER_AUTH_URL"]),
    ("next-auth", &["AUTH_URL", "AUTH_TRUST_HOST", "NEXTAUTH_URL"]),
    (
        "@workos-inc/authkit-nextjs",
        &["WORKOS_API_KEY", "WORKOS_CLIENT_ID", "WORKOS_COOKIE_PASSWORD"],
    ),
    ("wechaty", &["WECHATY_PUPPET", "WECHATY_TOKEN"]),
    ("langfuse", &["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASEURL"]),
    ("langfuse-langchain", &["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASEURL"]),
    ("langsmith", &["LANGSMITH_API_KEY", "LANGSMITH_TRACING", "LANGSMITH_PROJECT"]),
    ("@sentry/node", &["SENTRY_DSN"]),
    ("@vercel/blob", &["BLOB_READ_WRITE_TOKEN"]),
    ("@pinecone-database/pinecone", &["PINECONE_API_KEY"]),
    ("@tavily/core", &["TAVILY_API_KEY"]),
    ("exa-js", &["EXA_API_KEY"]),
    ("resend", &["RESEND_API_KEY"]),
    ("livekit-server-sdk", &["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]),
    ("@livekit/agents", &["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]),
];

/// Libraries that take a model by the name of who offers it: `openai/gpt-5`.
const ROUTERS: &[&str] = &["@mastra/core"];

/// Who offers models, and the variable that a router reads for them.
#[rustfmt::skip]
const PROVIDERS: &[(&str, &str)] = &[
    ("openai", "OPENAI_API_KEY"),
    ("anthropic", "ANTHROPIC_API_KEY"),
    ("google", "GOOGLE_GENERATIVE_AI_API_KEY"),
    ("groq", "GROQ_API_KEY"),
    ("mistral", "MISTRAL_API_KEY"),
    ("deepseek", "DEEPSEEK_API_KEY"),
    ("xai", "XAI_API_KEY"),
    ("openrouter", "OPENROUTER_API_KEY"),
];

/// Takes note of a pair of an object: a key that is handed over, or a model by who offers it.
pub(super) fn pair(source: &Source, pair: Node<'_>, facts: &mut FileFacts) {
    let Some(key) = pair.child_by_field_name("key") else {
        return;
    };
    let key = source.text_of(key).trim_matches(['"', '\'']);
    facts.hands_key |= is_key(key);
    if key != "model" {
        return;
    }
    let model = pair
        .child_by_field_name("value")
        .and_then(|value| sources::text(source, value));
    let provider = model.and_then(|model| Some(model.split_once('/')?.0.to_owned()));
    if let Some(provider) = provider {
        let span = source.place(pair).in_file(source.path.clone());
        facts.models.push((provider, span));
    }
}

/// Whether a name is that of a parameter for a key: `apiKey`, `openAIApiKey`.
pub(super) fn is_key(name: &str) -> bool {
    name.to_ascii_lowercase()
        .replace('_', "")
        .ends_with("apikey")
}

/// The variables that libraries read for files.
pub(super) fn read_by_libraries<'f>(
    files: impl Iterator<Item = &'f FileFacts> + Clone,
) -> Vec<FoundVariable> {
    let mut found = Vec::new();
    let imports = |facts: &FileFacts, library: &str| {
        let below = format!("{library}/");
        let mut modules = facts.imports.iter();
        modules
            .find(|(module, _)| module == library || module.starts_with(&below))
            .map(|(_, span)| span.clone())
    };
    for facts in files.clone().filter(|facts| !facts.hands_key) {
        for (library, variable) in LIBRARIES {
            if let Some(span) = imports(facts, library) {
                found.push(key(variable, span, library));
            }
        }
    }
    for facts in files.clone() {
        for (library, variables) in SETTINGS {
            let Some(span) = imports(facts, library) else {
                continue;
            };
            found.extend(variables.iter().map(|name| FoundVariable {
                why: format!("`{library}` reads `{name}` by itself"),
                ..FoundVariable::read(name, None, span.clone())
            }));
        }
    }
    for router in ROUTERS {
        for facts in files
            .clone()
            .filter(|facts| imports(facts, router).is_some())
        {
            for (provider, span) in &facts.models {
                let known = PROVIDERS.iter().find(|(name, _)| name == provider);
                found.extend(known.map(|(_, variable)| key(variable, span.clone(), router)));
            }
        }
    }
    found
}

fn key(name: &str, span: Span, library: &str) -> FoundVariable {
    FoundVariable {
        secret: true,
        kind: VariableKind::Text,
        why: format!("`{library}` reads `{name}` by itself"),
        ..FoundVariable::read(name, None, span)
    }
}
