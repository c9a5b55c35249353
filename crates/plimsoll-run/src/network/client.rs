//! Talking to a keeper, from the orchestrator and from supervisors. Everything here blocks, for
//! milliseconds.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use plimsoll_model::Protocol;

use super::error::NetworkError;
use super::keeper::{Greeting, KeeperOptions, files};
use super::protocol::{
    AttachRequest, AttachmentDetails, KeeperStatus, NetworkSpec, NetworkStatus, PublishRequest,
    Request, Response,
};
use super::wire::Wire;

/// Everything the keeper does takes milliseconds, but on a loaded machine they are long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a project's keeper.
#[derive(Debug)]
pub struct Keeper {
    directory: PathBuf,
    wire: Wire,
}

/// A container's place on its networks.
#[derive(Debug)]
pub struct Attachment {
    /// Addresses and names of things.
    pub details: AttachmentDetails,
    /// The namespace. While this file is open the namespace exists, keeper or not.
    pub namespace: OwnedFd,
}

impl Keeper {
    /// Starts a keeper in `directory`, which is made, and connects to it. `executable` is run
    /// with the arguments `internal keep-network <directory>`.
    pub fn start(
        directory: &Path,
        executable: &Path,
        options: &KeeperOptions,
    ) -> Result<Self, NetworkError> {
        let directory = &std::path::absolute(directory)
            .map_err(|error| NetworkError::file("find", directory, &error))?;
        fs_err::create_dir_all(directory)
            .map_err(|error| NetworkError::file("make", directory, &error))?;
        write_options(directory, options)?;
        let log_path = directory.join(files::LOG);
        let log = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(|error| NetworkError::file("open", &log_path, &error))?;
        let mut child = Command::new(executable)
            .args(["internal", "keep-network"])
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.into_file())
            .spawn()
            .map_err(|error| NetworkError::file("run", executable, &error))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(|error| NetworkError::system("hear from the network keeper", &error))?;
        }
        // Nobody needs its exit status, but somebody has to take it while this process lives.
        let _ = thread::Builder::new().spawn(move || child.wait());
        match serde_json::from_str(&line) {
            Ok(Greeting::Ready) => Self::connect(directory),
            Ok(Greeting::Failed(error)) => Err(error),
            Err(_) => Err(NetworkError::StartFailed {
                reason: last_line(&log_path),
            }),
        }
    }

    /// Connects to the keeper of a directory. [`NetworkError::NotRunning`] also when one was
    /// killed there and left its socket.
    pub fn connect(directory: &Path) -> Result<Self, NetworkError> {
        let connected = files::with_socket(directory, |path| {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => Ok(Self {
                directory: directory.to_owned(),
                wire: Wire::new(stream),
            }),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Err(NetworkError::NotRunning {
                    directory: directory.to_owned(),
                })
            }
            Err(error) => Err(NetworkError::file(
                "connect to",
                &files::socket(directory),
                &error,
            )),
        }
    }

    /// Makes a network, or finds it made with the same settings.
    pub fn create_network(&mut self, spec: &NetworkSpec) -> Result<NetworkStatus, NetworkError> {
        match self.ask(&Request::CreateNetwork(spec.clone()))? {
            Response::Network(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Removes a network that no container is attached to.
    pub fn remove_network(&mut self, name: &str) -> Result<(), NetworkError> {
        self.order(&Request::RemoveNetwork {
            name: name.to_owned(),
        })
    }

    /// Gives a container its place, or finds it attached with the same settings.
    pub fn attach(&mut self, request: &AttachRequest) -> Result<Attachment, NetworkError> {
        match self.ask(&Request::Attach(request.clone()))? {
            Response::Attached(details) => match self.wire.take_descriptor() {
                Some(namespace) => Ok(Attachment { details, namespace }),
                None => Err(NetworkError::Protocol {
                    reason: "the namespace is missing".to_owned(),
                }),
            },
            other => Err(unexpected(&other)),
        }
    }

    /// Takes a container off its networks; its published ports close.
    pub fn detach(&mut self, container: &str) -> Result<(), NetworkError> {
        self.order(&Request::Detach {
            container: container.to_owned(),
        })
    }

    /// Replaces the names under which a container is found on one network.
    pub fn set_names(
        &mut self,
        container: &str,
        network: &str,
        names: &[String],
    ) -> Result<(), NetworkError> {
        self.order(&Request::SetNames {
            container: container.to_owned(),
            network: network.to_owned(),
            names: names.to_vec(),
        })
    }

    /// Listens on the host for a container, and gives the address and port that were bound.
    pub fn publish(&mut self, request: &PublishRequest) -> Result<SocketAddr, NetworkError> {
        match self.ask(&Request::Publish(request.clone()))? {
            Response::Published { address } => Ok(address),
            other => Err(unexpected(&other)),
        }
    }

    /// Stops listening on the host; connections through that port close.
    pub fn unpublish(
        &mut self,
        address: SocketAddr,
        protocol: Protocol,
    ) -> Result<(), NetworkError> {
        self.order(&Request::Unpublish { address, protocol })
    }

    /// Everything the keeper holds.
    pub fn status(&mut self) -> Result<KeeperStatus, NetworkError> {
        match self.ask(&Request::Status)? {
            Response::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the keeper, and waits until it has ended.
    pub fn shutdown(mut self) -> Result<(), NetworkError> {
        self.order(&Request::Shutdown)?;
        // The lock is free when the process is gone, whoever's child it was.
        let path = self.directory.join(files::LOCK);
        let lock =
            fs_err::File::open(&path).map_err(|error| NetworkError::file("open", &path, &error))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| NetworkError::file("lock", &path, &error.into()))
    }

    fn order(&mut self, request: &Request) -> Result<(), NetworkError> {
        match self.ask(request)? {
            Response::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Response, NetworkError> {
        let gone = |error: &io::Error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                NetworkError::NotRunning {
                    directory: self.directory.clone(),
                }
            }
            io::ErrorKind::WouldBlock => NetworkError::Protocol {
                reason: format!("nothing came for {} seconds", PATIENCE.as_secs()),
            },
            _ => NetworkError::Protocol {
                reason: error.to_string(),
            },
        };
        self.wire
            .send(request, None)
            .map_err(|error| gone(&error))?;
        match self.wire.receive().map_err(|error| gone(&error))? {
            Some(Response::Failed { failure }) => Err(failure),
            Some(answer) => Ok(answer),
            None => Err(NetworkError::NotRunning {
                directory: self.directory.clone(),
            }),
        }
    }
}

fn write_options(directory: &Path, options: &KeeperOptions) -> Result<(), NetworkError> {
    let path = directory.join(files::OPTIONS);
    serde_json::to_vec(options)
        .map_err(io::Error::from)
        .and_then(|bytes| fs_err::write(&path, bytes))
        .map_err(|error| NetworkError::file("write", &path, &error))
}

fn last_line(log: &Path) -> String {
    fs_err::read_to_string(log)
        .ok()
        .and_then(|text| text.lines().next_back().map(str::to_owned))
        .unwrap_or_else(|| "it ended without a word".to_owned())
}

fn unexpected(response: &Response) -> NetworkError {
    NetworkError::Protocol {
        reason: format!("unexpected answer {response:?}"),
    }
}
