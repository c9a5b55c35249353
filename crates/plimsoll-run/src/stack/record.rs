//! What is remembered of a running stack between two commands.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use plimsoll_model::Protocol;
use serde::{Deserialize, Serialize};

use super::StackPaths;
use crate::exec::ExecSpec;

/// A running stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackRecord {
    /// The project's name.
    pub project: String,
    /// The directory it was started from.
    pub directory: PathBuf,
    /// Its containers, by name.
    pub containers: BTreeMap<String, ContainerRecord>,
    /// Full names of the volumes that `down --volumes` removes.
    pub volumes: Vec<String>,
}

/// One container of a running stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// The service.
    pub service: String,
    /// Which of the service's containers, from 1.
    pub index: u32,
    /// Digest of the image's manifest.
    pub image: String,
    /// Name of the image.
    pub image_name: String,
    /// Size of the image in bytes, uncompressed.
    pub image_size: u64,
    /// Hash of all that determines the container; another hash means starting anew.
    pub hash: String,
    /// Ports offered on the host.
    pub published: Vec<PublishedRecord>,
    /// What is run in it before it is asked to stop.
    #[serde(default)]
    pub pre_stop: Vec<ExecSpec>,
}

/// A port offered on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedRecord {
    /// Address and port on the host.
    pub address: SocketAddr,
    /// Port in the container.
    pub target: u16,
    /// Transport.
    pub protocol: Protocol,
}

impl StackRecord {
    /// Reads the record of a project; `None` when it has no stack.
    ///
    /// # Errors
    /// When the file cannot be read or is not a record.
    pub fn read(paths: &StackPaths) -> io::Result<Option<Self>> {
        let path = paths.record();
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
    }

    /// Writes the record whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &StackPaths) -> io::Result<()> {
        let directory = paths.runtime();
        fs_err::create_dir_all(&directory)?;
        let temporary = directory.join("stack.json.new");
        fs_err::write(&temporary, serde_json::to_vec(self)?)?;
        fs_err::rename(temporary, paths.record())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_way_to_disk() {
        let directory = tempfile::tempdir().unwrap();
        let paths = StackPaths::new(
            &directory.path().join("data"),
            &directory.path().join("run"),
            "desk",
        );
        assert_eq!(StackRecord::read(&paths).unwrap(), None);
        let record = StackRecord {
            project: "desk".to_owned(),
            directory: "/src/desk".into(),
            containers: BTreeMap::from([(
                "desk-web-1".to_owned(),
                ContainerRecord {
                    service: "web".to_owned(),
                    index: 1,
                    image: "sha256:00".to_owned(),
                    image_name: "desk-web".to_owned(),
                    image_size: 7,
                    hash: "1".to_owned(),
                    pre_stop: Vec::new(),
                    published: vec![PublishedRecord {
                        address: ([127, 0, 0, 1], 8000).into(),
                        target: 80,
                        protocol: Protocol::Tcp,
                    }],
                },
            )]),
            volumes: vec!["desk_data".to_owned()],
        };
        record.write(&paths).unwrap();
        assert_eq!(StackRecord::read(&paths).unwrap(), Some(record));
    }
}
