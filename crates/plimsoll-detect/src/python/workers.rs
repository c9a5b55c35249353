//! Workers of queues, and schedulers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::{Rejected, ServiceKind};
use crate::python::candidate::{Candidate, Launch, launch_of, starters_of};
use crate::python::graph::Start;
use crate::python::module::Module;
use crate::python::value::Value;
use crate::python::workspace::Workspace;
use crate::python::{celery_sender, endless, run_elsewhere};
use crate::syntax::Place;

const CELERY: (&str, &str) = ("Celery", "celery");
const TASKIQ: (&str, &str) = ("Taskiq", "taskiq");

/// Calls that work until the process ends: full name, framework, distribution, kind.
#[rustfmt::skip]
const LOOPS: &[(&str, &str, &str, ServiceKind)] = &[
    ("rq.Worker", "RQ", "rq", ServiceKind::Worker),
    ("rq.SimpleWorker", "RQ", "rq", ServiceKind::Worker),
    ("rq.worker.Worker", "RQ", "rq", ServiceKind::Worker),
    ("huey.consumer.Consumer", "Huey", "huey", ServiceKind::Worker),
    ("apscheduler.schedulers.blocking.BlockingScheduler", "APScheduler", "apscheduler", ServiceKind::Scheduler),
    ("pika.BlockingConnection", "Pika", "pika", ServiceKind::Worker),
    ("aiokafka.AIOKafkaConsumer", "Kafka consumer", "aiokafka", ServiceKind::Worker),
    ("kafka.KafkaConsumer", "Kafka consumer", "kafka-python", ServiceKind::Worker),
    ("confluent_kafka.Consumer", "Kafka consumer", "confluent-kafka", ServiceKind::Worker),
    ("telegram.ext.Application.builder", "Telegram bot", "python-telegram-bot", ServiceKind::Worker),
    ("telegram.ext.ApplicationBuilder", "Telegram bot", "python-telegram-bot", ServiceKind::Worker),
    ("slack_bolt.adapter.socket_mode.SocketModeHandler", "Slack bot", "slack-bolt", ServiceKind::Worker),
    ("slack_bolt.adapter.socket_mode.async_handler.AsyncSocketModeHandler", "Slack bot", "slack-bolt", ServiceKind::Worker),
    ("slack_bolt.adapter.socket_mode.aiohttp.AsyncSocketModeHandler", "Slack bot", "slack-bolt", ServiceKind::Worker),
    ("slack_bolt.adapter.socket_mode.builtin.SocketModeHandler", "Slack bot", "slack-bolt", ServiceKind::Worker),
    ("discord.Client", "Discord bot", "discord-py", ServiceKind::Worker),
    ("discord.AutoShardedClient", "Discord bot", "discord-py", ServiceKind::Worker),
    ("discord.Bot", "Discord bot", "py-cord", ServiceKind::Worker),
    ("discord.ext.commands.Bot", "Discord bot", "discord-py", ServiceKind::Worker),
    ("discord.ext.commands.AutoShardedBot", "Discord bot", "discord-py", ServiceKind::Worker),
    ("discord.ext.commands.bot.Bot", "Discord bot", "discord-py", ServiceKind::Worker),
    ("nextcord.Client", "Discord bot", "nextcord", ServiceKind::Worker),
    ("nextcord.ext.commands.Bot", "Discord bot", "nextcord", ServiceKind::Worker),
    ("disnake.ext.commands.Bot", "Discord bot", "disnake", ServiceKind::Worker),
    ("disnake.ext.commands.InteractionBot", "Discord bot", "disnake", ServiceKind::Worker),
    ("hikari.GatewayBot", "Discord bot", "hikari", ServiceKind::Worker),
    ("telegram.ext.Updater", "Telegram bot", "python-telegram-bot", ServiceKind::Worker),
    ("telebot.TeleBot", "Telegram bot", "pytelegrambotapi", ServiceKind::Worker),
    ("telebot.async_telebot.AsyncTeleBot", "Telegram bot", "pytelegrambotapi", ServiceKind::Worker),
    ("aiogram.Dispatcher", "Telegram bot", "aiogram", ServiceKind::Worker),
    ("aiogram.dispatcher.dispatcher.Dispatcher", "Telegram bot", "aiogram", ServiceKind::Worker),
    ("pyrogram.Client", "Telegram bot", "pyrogram", ServiceKind::Worker),
    ("prefect.serve", "Prefect", "prefect", ServiceKind::Worker),
    ("schedule.run_pending", "schedule", "schedule", ServiceKind::Scheduler),
    ("temporalio.worker.Worker", "Temporal", "temporalio", ServiceKind::Worker),
    ("livekit.agents.cli.run_app", "LiveKit agent", "livekit-agents", ServiceKind::Worker),
];

/// Finds the workers and schedulers in the files at `entries`.
pub(crate) fn find(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    rejected: &mut Vec<Rejected>,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    for module in entries {
        celery(workspace, module, entries, &mut found, rejected);
        others(module, &mut found);
        loops(workspace, module, entries, &mut found);
        endless::until_told(workspace, module, &mut found);
        endless::own_schedule(workspace, module, &mut found);
    }
    for module in entries {
        of_scheduler(workspace, module, &mut found);
    }
    found
}

fn celery(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    entries: &[Arc<Module>],
    found: &mut Vec<Candidate>,
    rejected: &mut Vec<Rejected>,
) {
    for binding in &module.bindings {
        if !binding.scope.is_top() || binding.scope.main || binding.target.contains('.') {
            continue;
        }
        let Some(Value::Call(call)) = &binding.value else {
            continue;
        };
        let Some(why) = makes_celery(workspace, module, call) else {
            continue;
        };
        let variable = binding.target.clone();
        if let Some(place) = celery_sender::only_sends(workspace, module, &variable, entries) {
            let why = format!(
                "it only sends tasks ({}:{})",
                place.file.display(),
                place.start.line
            );
            rejected.push(Rejected {
                path: module.path.clone(),
                looks_like: "Celery application".to_owned(),
                why,
            });
            continue;
        }
        let include = unknown_tasks(workspace, module, &variable, entries);
        let worker = Launch::CeleryWorker {
            variable: variable.clone(),
            include,
        };
        let mut candidate = Candidate::new(
            module,
            binding.place,
            ServiceKind::Worker,
            CELERY,
            worker,
            why,
        );
        if let Some((task, place)) = first_task(workspace, module, &variable, entries) {
            candidate
                .evidence
                .push(Evidence::new(task.span(place), "defines a task"));
        }
        found.push(candidate);
        if let Some((where_, place)) = schedule(workspace, module, &variable, entries) {
            let launch = Launch::CeleryBeat {
                variable: variable.clone(),
            };
            let mut beat = Candidate::new(
                module,
                binding.place,
                ServiceKind::Scheduler,
                CELERY,
                launch,
                "makes a Celery application",
            );
            beat.evidence
                .insert(0, Evidence::new(where_.span(place), "sets a schedule"));
            found.push(beat);
        }
    }
}

fn makes_celery(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    call: &crate::python::value::Call,
) -> Option<String> {
    let is_maker = |callee: &str| {
        matches!(
            callee,
            "celery.Celery" | "celery.app.Celery" | "celery.app.base.Celery"
        )
    };
    if module.callee(call).is_some_and(|callee| is_maker(&callee)) {
        return Some("makes a Celery application".to_owned());
    }
    let name = call
        .function
        .as_name()
        .filter(|name| workspace.modules.may_define(name))?;
    let (origin, name) = workspace.origin(module, name)?;
    let function = origin.function(&name)?;
    let inside = function.inner_path();
    origin
        .calls
        .iter()
        .any(|placed| {
            *placed.scope.path == *inside
                && origin
                    .callee(&placed.call)
                    .is_some_and(|callee| is_maker(&callee))
        })
        .then(|| format!("is the Celery application that `{name}()` makes"))
}

/// Whether `name` in `module` stands for the Celery application `variable` of `owner`.
pub(super) fn is_application(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    name: &str,
    owner: &Arc<Module>,
    variable: &str,
) -> bool {
    if module.path == owner.path {
        return name == variable;
    }
    workspace
        .origin(module, name)
        .is_some_and(|(origin, name)| origin.path == owner.path && name == variable)
}

fn tasks<'e>(
    workspace: &'e Workspace<'_>,
    owner: &'e Arc<Module>,
    variable: &'e str,
    entries: &'e [Arc<Module>],
) -> impl Iterator<Item = (&'e Arc<Module>, Place)> {
    entries.iter().flat_map(move |module| {
        module.functions.iter().filter_map(move |function| {
            let (_, place) = function.decorators.iter().find(|(decorator, _)| {
                let name = match decorator {
                    Value::Call(call) => call.function.as_name(),
                    other => other.as_name(),
                };
                let Some(name) = name else {
                    return false;
                };
                if module.qualify(name) == "celery.shared_task" {
                    return true;
                }
                name.strip_suffix(".task").is_some_and(|receiver| {
                    is_application(workspace, module, receiver, owner, variable)
                })
            })?;
            Some((module, *place))
        })
    })
}

pub(super) fn first_task<'e>(
    workspace: &'e Workspace<'_>,
    owner: &'e Arc<Module>,
    variable: &'e str,
    entries: &'e [Arc<Module>],
) -> Option<(&'e Arc<Module>, Place)> {
    tasks(workspace, owner, variable, entries)
        .find(|(module, _)| crate::places::set_aside(&module.path).is_none())
}

/// Modules with tasks that importing the application does not import.
fn unknown_tasks(
    workspace: &Workspace<'_>,
    owner: &Arc<Module>,
    variable: &str,
    entries: &[Arc<Module>],
) -> Vec<String> {
    let roots = workspace.roots(&owner.path);
    let closure = workspace
        .modules
        .closure(&owner.path, &roots, Start::Imported);
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut finds_all = false;
    let mut names = |value: &Value| {
        value.walk(&mut |value| known.extend(value.as_text().map(str::to_owned)));
    };
    for placed in &owner.calls {
        if placed.call.method() == Some("autodiscover_tasks") {
            finds_all |= placed.call.arguments.is_empty();
            placed.call.arguments.iter().for_each(&mut names);
        }
        let lists = ["include", "imports", "packages"];
        lists
            .iter()
            .filter_map(|name| placed.call.keyword(name))
            .for_each(&mut names);
    }
    for binding in &owner.bindings {
        let last = binding.target.rsplit('.').next().unwrap_or_default();
        if matches!(
            last,
            "include" | "imports" | "CELERY_IMPORTS" | "CELERY_INCLUDE"
        ) && let Some(value) = &binding.value
        {
            names(value);
        }
    }
    let mut include = BTreeSet::new();
    for (module, _) in tasks(workspace, owner, variable, entries) {
        let path: &Arc<Path> = &module.path;
        if closure.files.contains_key(path) || crate::places::set_aside(path).is_some() {
            continue;
        }
        let (root, dotted) = workspace.home(path);
        let package = dotted.rsplit_once('.').map_or("", |(package, _)| package);
        let discovered = finds_all && dotted.ends_with(".tasks")
            || known.contains(&dotted)
            || known.contains(package);
        let reachable = roots.contains(&root);
        // A shared task belongs to whoever imports it.
        if !discovered && reachable && !shared_only(module) {
            include.insert(dotted);
        }
    }
    include.into_iter().collect()
}

fn shared_only(module: &Module) -> bool {
    module
        .imports
        .iter()
        .any(|import| import.name.as_deref() == Some("shared_task"))
}

/// Where a schedule is set.
fn schedule(
    workspace: &Workspace<'_>,
    owner: &Arc<Module>,
    variable: &str,
    entries: &[Arc<Module>],
) -> Option<(Arc<Module>, Place)> {
    for module in entries {
        for binding in &module.bindings {
            let Some(receiver) = binding.target.strip_suffix(".conf.beat_schedule") else {
                continue;
            };
            if is_application(workspace, module, receiver, owner, variable) {
                return Some((module.clone(), binding.place));
            }
        }
        for placed in &module.calls {
            let Some(receiver) = placed.call.receiver() else {
                continue;
            };
            let mine =
                |receiver: &str| is_application(workspace, module, receiver, owner, variable);
            let set = placed.call.keyword("beat_schedule").is_some()
                && receiver.strip_suffix(".conf").is_some_and(mine);
            let added = placed.call.method() == Some("add_periodic_task")
                && (mine(receiver) || module.path == owner.path);
            if set || added {
                return Some((module.clone(), placed.call.place));
            }
        }
    }
    let says = |module: &Module| {
        let mut bindings = module.bindings.iter();
        let binding = bindings.find(|binding| {
            binding.scope.is_top()
                && (binding.target.ends_with("BEAT_SCHEDULE")
                    || binding.target.ends_with("BEAT_SCHEDULER")
                    || binding.target == "beat_schedule")
        });
        binding.map(|binding| binding.place)
    };
    if let Some(place) = says(owner) {
        return Some((owner.clone(), place));
    }
    // Settings that the application reads by name: Django's, or a module of its own.
    let configured = owner
        .calls
        .iter()
        .any(|placed| placed.call.method() == Some("config_from_object"));
    let directory = |module: &Module| {
        workspace
            .project_of(&module.path)
            .map(|project| project.directory.clone())
    };
    entries
        .iter()
        .filter(|module| configured && directory(module) == directory(owner))
        .filter(|module| crate::places::set_aside(&module.path).is_none())
        .find_map(|module| Some((module.clone(), says(module)?)))
}

/// Queues whose worker programs import a module.
fn others(module: &Arc<Module>, found: &mut Vec<Candidate>) {
    let imports = |name: &str| {
        module.imports.iter().any(|import| {
            import.level == 0
                && (import.module == name || import.module.starts_with(&format!("{name}.")))
        })
    };
    for class in &module.classes {
        let inside = &class.name;
        let functions = module.bindings.iter().find(|binding| {
            *binding.scope.path == **inside
                && matches!(binding.target.as_str(), "functions" | "cron_jobs")
        });
        if let Some(binding) = functions
            && class.scope.is_top()
            && (imports("arq") || class.name == "WorkerSettings")
        {
            let launch = Launch::Arq {
                class: class.name.clone(),
            };
            found.push(Candidate::new(
                module,
                binding.place,
                ServiceKind::Worker,
                ("arq", "arq"),
                launch,
                format!("`{}` lists the functions of an arq worker", class.name),
            ));
        }
    }
    if imports("dramatiq") {
        let actor = module.functions.iter().find_map(|function| {
            function
                .decorators
                .iter()
                .find(|(decorator, _)| decorator.last_name() == Some("actor"))
        });
        if let Some((_, place)) = actor {
            found.push(Candidate::new(
                module,
                *place,
                ServiceKind::Worker,
                ("Dramatiq", "dramatiq"),
                Launch::Dramatiq,
                "defines a Dramatiq actor",
            ));
        }
    }
    for binding in &module.bindings {
        let Some(Value::Call(call)) = &binding.value else {
            continue;
        };
        let callee = module.callee(call).unwrap_or_default();
        if binding.scope.is_top()
            && callee.starts_with("huey.")
            && callee.ends_with("Huey")
            && !callee.ends_with("MemoryHuey")
        {
            let launch = Launch::Huey {
                variable: binding.target.clone(),
            };
            found.push(Candidate::new(
                module,
                binding.place,
                ServiceKind::Worker,
                ("Huey", "huey"),
                launch,
                "makes a Huey queue",
            ));
        }
        if binding.scope.is_top()
            && callee.starts_with("taskiq")
            && callee.ends_with("Broker")
            && !callee.ends_with("InMemoryBroker")
        {
            let launch = Launch::Taskiq {
                variable: binding.target.clone(),
            };
            found.push(Candidate::new(
                module,
                binding.place,
                ServiceKind::Worker,
                TASKIQ,
                launch,
                "makes a Taskiq broker",
            ));
        }
    }
}

/// The worker of the broker that a scheduler of Taskiq is handed, whatever makes that broker.
fn of_scheduler(workspace: &Workspace<'_>, module: &Arc<Module>, found: &mut Vec<Candidate>) {
    let made = module
        .calls
        .iter()
        .find(|placed| module.callee(&placed.call).as_deref() == Some("taskiq.TaskiqScheduler"));
    let Some(made) = made else {
        return;
    };
    let broker = made.call.argument(0, "broker").and_then(Value::as_name);
    let Some((origin, variable)) = broker.and_then(|name| workspace.origin(module, name)) else {
        return;
    };
    let known = |candidate: &Candidate| candidate.distribution == TASKIQ.1;
    let Some(binding) = origin.top_value(&variable) else {
        return;
    };
    if found.iter().any(known) {
        return;
    }
    let place = binding.place;
    let launch = Launch::Taskiq { variable };
    let why = "is the broker that a Taskiq scheduler is handed";
    let mut candidate = Candidate::new(&origin, place, ServiceKind::Worker, TASKIQ, launch, why);
    let span = module.span(made.call.place);
    let schedules = Evidence::new(span, "schedules tasks for it");
    candidate.evidence.push(schedules);
    found.push(candidate);
}

fn loops(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    entries: &[Arc<Module>],
    found: &mut Vec<Candidate>,
) {
    for placed in &module.calls {
        let Some(callee) = module.callee(&placed.call) else {
            continue;
        };
        let known = LOOPS
            .iter()
            .find(|(name, ..)| *name == callee)
            .or_else(|| extended(workspace, module, &placed.call));
        let Some((_, framework, distribution, kind)) = known else {
            continue;
        };
        // A connection that is asked for once is none to wait at.
        let waits = match *distribution {
            "pyrogram" | "aiogram" => &["run", "idle", "start_polling", "run_polling", "start"][..],
            "pytelegrambotapi" => &["polling", "infinity_polling", "run_polling"][..],
            _ => &[][..],
        };
        let elsewhere = run_elsewhere::starter(workspace, entries, module, placed);
        if let Some((starter, launch, evidence)) = elsewhere {
            let why = format!("`{callee}` works until the process ends");
            let framework = (*framework, *distribution);
            let mut candidate =
                Candidate::new(module, placed.call.place, *kind, framework, launch, why);
            candidate.evidence.splice(0..0, evidence);
            candidate.module = starter;
            found.push(candidate);
            return;
        }
        let works = |placed: &crate::python::module::PlacedCall| {
            placed
                .call
                .method()
                .is_some_and(|method| waits.contains(&method))
        };
        if !waits.is_empty() && !module.calls.iter().any(works) {
            continue;
        }
        // What is made at the top is used by what the file does when it is run.
        let by_itself = || placed.scope.is_top().then(|| (Launch::Module, Vec::new()));
        let launched = launch_of(workspace, module, &placed.scope).or_else(by_itself);
        let (starter, launch, evidence) = match launched {
            Some((launch, evidence)) => (module.clone(), launch, evidence),
            // A class that another file makes an object of and runs.
            None => {
                let starters = starters_of(workspace, entries, module, &placed.scope);
                match starters.into_iter().next() {
                    Some((starter, guard)) => (starter, Launch::Module, vec![guard]),
                    None => continue,
                }
            }
        };
        // Connecting is not yet consuming.
        if callee == "pika.BlockingConnection"
            && !module
                .calls
                .iter()
                .any(|placed| placed.call.method() == Some("start_consuming"))
        {
            continue;
        }
        let mut candidate = Candidate::new(
            module,
            placed.call.place,
            *kind,
            (framework, distribution),
            launch,
            format!("`{callee}` works until the process ends"),
        );
        if starter.path == module.path {
            candidate.evidence.extend(evidence);
        } else {
            candidate.evidence.splice(0..0, evidence);
            candidate.module = starter;
        }
        found.push(candidate);
        return;
    }
}

/// What makes a call of a class of the tree work until the process ends: the class that it extends.
fn extended(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    call: &crate::python::value::Call,
) -> Option<&'static (&'static str, &'static str, &'static str, ServiceKind)> {
    // What is extended to be handed jobs is no bot.
    let mut bases = workspace.extended(module, call)?.into_iter();
    bases.find_map(|base| {
        LOOPS
            .iter()
            .find(|(name, _, _, _)| *name == base && base != "rq.Worker")
    })
}
