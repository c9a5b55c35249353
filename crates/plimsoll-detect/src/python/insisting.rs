//! Variables that no file of the project reads, and that a library ends the work without: clients that are made
//! while the service starts and are handed no key.

use crate::needs::is_secret;
use crate::python::environment::VariableRead;
use crate::python::module::Module;
use crate::python::startup::Startup;
use crate::python::value::{Call, Value};

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
        let Some((_, variable, keywords)) = CONSTRUCTORS.iter().find(|(name, ..)| *name == callee)
        else {
            continue;
        };
        if startup.insists(&placed.scope) && !is_told(&placed.call, keywords) {
            let why = format!("`{callee}` does not work without `{variable}`");
            found.push(insisted(variable, module, placed.call.place, why));
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
        if name.is_some_and(|name| LOGINS.contains(&module.qualify(name).as_str())) {
            let why = "Chainlit logs nobody in without `CHAINLIT_AUTH_SECRET`".to_owned();
            found.push(insisted("CHAINLIT_AUTH_SECRET", module, *place, why));
        }
    }
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
