//! Variables that no file of the project reads, and that a library reads for it: clients that are handed no key.
//! Some end the work without one; where such a client is made while the service starts, the variable is required.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::needs::is_secret;
use crate::python::environment::VariableRead;
use crate::python::module::Module;
use crate::python::startup::Startup;
use crate::python::value::{Call, Value, last_part};

/// Constructors that fail without a variable: full name, the variable, keywords that stand in for it.
#[rustfmt::skip]
const CONSTRUCTORS: &[(&str, &str, &[&str])] = &[
    ("openai.OpenAI", "OPENAI_API_KEY", &["api_key"]),
    ("openai.AsyncOpenAI", "OPENAI_API_KEY", &["api_key"]),
    ("langchain_openai.ChatOpenAI", "OPENAI_API_KEY", &["api_key", "openai_api_key"]),
    ("langchain_openai.OpenAIEmbeddings", "OPENAI_API_KEY", &["api_key", "openai_api_key"]),
    ("langchain_groq.ChatGroq", "GROQ_API_KEY", &["api_key", "groq_api_key"]),
    ("groq.Groq", "GROQ_API_KEY", &["api_key"]),
    ("groq.AsyncGroq", "GROQ_API_KEY", &["api_key"]),
    ("tavily.TavilyClient", "TAVILY_API_KEY", &["api_key"]),
    ("tavily.AsyncTavilyClient", "TAVILY_API_KEY", &["api_key"]),
    ("langchain_tavily.TavilySearch", "TAVILY_API_KEY", &["tavily_api_key", "api_wrapper"]),
    ("langchain_community.tools.tavily_search.TavilySearchResults", "TAVILY_API_KEY", &["tavily_api_key", "api_wrapper"]),
    ("exa_py.Exa", "EXA_API_KEY", &["api_key"]),
    ("firecrawl.FirecrawlApp", "FIRECRAWL_API_KEY", &["api_key", "api_url"]),
    ("pinecone.Pinecone", "PINECONE_API_KEY", &["api_key"]),
];

/// Constructors that read a variable and do not miss it before they are used.
#[rustfmt::skip]
const PATIENT: &[(&str, &str, &[&str])] = &[
    ("anthropic.Anthropic", "ANTHROPIC_API_KEY", &["api_key", "auth_token"]),
    ("anthropic.AsyncAnthropic", "ANTHROPIC_API_KEY", &["api_key", "auth_token"]),
    ("langchain_anthropic.ChatAnthropic", "ANTHROPIC_API_KEY", &["api_key", "anthropic_api_key"]),
    ("langchain_google_genai.ChatGoogleGenerativeAI", "GOOGLE_API_KEY", &["api_key", "google_api_key"]),
    ("langchain_google_genai.GoogleGenerativeAIEmbeddings", "GOOGLE_API_KEY", &["api_key", "google_api_key"]),
    ("langchain_mistralai.ChatMistralAI", "MISTRAL_API_KEY", &["api_key", "mistral_api_key"]),
    ("langchain_cohere.ChatCohere", "COHERE_API_KEY", &["cohere_api_key"]),
    ("langchain_cohere.CohereEmbeddings", "COHERE_API_KEY", &["cohere_api_key"]),
    ("langchain_deepseek.ChatDeepSeek", "DEEPSEEK_API_KEY", &["api_key"]),
    ("langchain_xai.ChatXAI", "XAI_API_KEY", &["api_key", "xai_api_key"]),
    ("llama_index.llms.openai.OpenAI", "OPENAI_API_KEY", &["api_key"]),
    ("llama_index.embeddings.openai.OpenAIEmbedding", "OPENAI_API_KEY", &["api_key"]),
    ("llama_index.llms.anthropic.Anthropic", "ANTHROPIC_API_KEY", &["api_key"]),
    ("google.genai.Client", "GOOGLE_API_KEY", &["api_key", "vertexai"]),
    ("agno.models.openai.OpenAIChat", "OPENAI_API_KEY", &["api_key"]),
    ("agno.models.anthropic.Claude", "ANTHROPIC_API_KEY", &["api_key"]),
    ("agno.models.google.Gemini", "GOOGLE_API_KEY", &["api_key"]),
    ("cohere.Client", "CO_API_KEY", &["api_key"]),
    ("cohere.ClientV2", "CO_API_KEY", &["api_key"]),
];

/// Agents of Google's kit, which take a model of Gemini by its name.
#[rustfmt::skip]
const GOOGLES: &[&str] = &[
    "google.adk.agents.Agent",
    "google.adk.agents.LlmAgent",
    "google.adk.agents.llm_agent.Agent",
    "google.adk.agents.llm_agent.LlmAgent",
    "google.adk.Agent",
];

/// Last names of all of these.
static CLASSES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let clients = CONSTRUCTORS.iter().chain(PATIENT).map(|(name, ..)| name);
    let names = clients.chain(GOOGLES);
    names.filter_map(|name| name.rsplit('.').next()).collect()
});

/// Keywords that lead somewhere else, where another key or none is wanted.
const ELSEWHERE: &[&str] = &[
    "base_url",
    "openai_api_base",
    "http_client",
    "azure_endpoint",
];

/// Callbacks of Chainlit that log people in.
const LOGINS: &[&str] = &[
    "chainlit.password_auth_callback",
    "chainlit.oauth_callback",
    "chainlit.header_auth_callback",
];

/// Adds what libraries insist on in one file.
pub(crate) fn reads(module: &Module, startup: &Startup, found: &mut Vec<VariableRead>) {
    for placed in &module.calls {
        let Some(callee) = module.callee(&placed.call) else {
            continue;
        };
        // Most of what is called has the name of none of them.
        if !CLASSES.contains(last_part(&callee)) {
            continue;
        }
        let named = |known: &&(&str, &str, &[&str])| is_called(known.0, &callee);
        if let Some((_, variable, keywords)) = CONSTRUCTORS.iter().find(named)
            && !is_told(&placed.call, keywords)
        {
            let place = placed.call.place;
            found.push(if startup.insists(&placed.scope) {
                let why = format!("`{callee}` does not work without `{variable}`");
                insisted(variable, module, place, why)
            } else {
                read(variable, module, place, &callee)
            });
        }
        if let Some((_, variable, keywords)) = PATIENT.iter().find(named)
            && !is_told(&placed.call, keywords)
        {
            found.push(read(variable, module, placed.call.place, &callee));
        }
        let model = |call: &Call| match call.keyword("model")? {
            Value::Text(text) => Some(text.starts_with("gemini")),
            _ => None,
        };
        if GOOGLES.contains(&callee.as_ref()) && model(&placed.call) == Some(true) {
            found.push(read("GOOGLE_API_KEY", module, placed.call.place, &callee));
        }
    }
    for placed in &module.calls {
        if module.callee(&placed.call).as_deref() != Some("livekit.agents.cli.run_app") {
            continue;
        }
        let told = module.calls.iter().any(|other| {
            other.call.keyword("ws_url").is_some()
                || other.call.keyword("api_key").is_some()
                    && other.call.method() == Some("WorkerOptions")
        });
        for name in ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"] {
            if !told {
                let why = format!("an agent of LiveKit does not start without `{name}`");
                found.push(insisted(name, module, placed.call.place, why));
            }
        }
    }
    let decorators = module
        .functions
        .iter()
        .flat_map(|function| &function.decorators);
    for (decorator, place) in decorators {
        let name = match decorator {
            Value::Call(call) => call.function.as_name(),
            other => other.as_name(),
        };
        if name.is_some_and(|name| LOGINS.contains(&module.qualify(name).as_ref())) {
            let why = "Chainlit logs nobody in without `CHAINLIT_AUTH_SECRET`".to_owned();
            found.push(insisted("CHAINLIT_AUTH_SECRET", module, *place, why));
        }
    }
}

/// The key that a client which insists on one is handed: `OpenAI(api_key=KEY)`.
pub(crate) fn key_of<'c>(call: &'c Call, callee: Option<&str>) -> Option<&'c Value> {
    let (_, _, keywords) = CONSTRUCTORS
        .iter()
        .find(|(name, ..)| callee.is_some_and(|callee| is_called(name, callee)))?;
    let elsewhere = call
        .keywords
        .iter()
        .any(|(name, _)| ELSEWHERE.contains(&name.as_str()));
    let (first, _) = keywords.split_first()?;
    (!elsewhere).then(|| call.keyword(first).or_else(|| call.arguments.first()))?
}

/// Whether a class is the one of this name, be it taken from the module of its package that defines it:
/// `langchain_openai.chat_models.ChatOpenAI`.
fn is_called(known: &str, callee: &str) -> bool {
    let Some((package, class)) = known.rsplit_once('.') else {
        return false;
    };
    let between = callee
        .strip_prefix(package)
        .and_then(|rest| rest.strip_suffix(class));
    between.is_some_and(|between| between.starts_with('.') && between.ends_with('.'))
}

/// Whether a call says itself what the variable would.
fn is_told(call: &Call, keywords: &[&str]) -> bool {
    // What is not written out may hold anything.
    let unknown = call.arguments.contains(&Value::Other);
    unknown
        || !call.arguments.is_empty() && keywords.first() == Some(&"api_key")
        || call.keywords.iter().any(|(name, _)| {
            keywords.contains(&name.as_str()) || ELSEWHERE.contains(&name.as_str())
        })
}

/// What a library reads when it comes to it.
fn read(name: &str, module: &Module, place: crate::syntax::Place, callee: &str) -> VariableRead {
    let why = format!("`{callee}` reads `{name}` by itself");
    VariableRead {
        required: false,
        ..insisted(name, module, place, why)
    }
}

fn insisted(name: &str, module: &Module, place: crate::syntax::Place, why: String) -> VariableRead {
    VariableRead {
        name: name.to_owned(),
        required: true,
        secret: is_secret(name),
        default: None,
        type_name: None,
        span: module.span(place),
        why,
    }
}
