//! Work on the runtime that ends with the value that owns it.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Tasks that are aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    handles: Vec<JoinHandle<()>>,
}

impl Tasks {
    pub(crate) fn new(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            handles: Vec::new(),
        }
    }

    /// Starts a task.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.handles.push(self.runtime.spawn(task));
    }

    /// Aborts the tasks and waits until their sockets are closed. Not for the runtime's threads.
    pub(crate) fn stop(mut self) {
        let handles = std::mem::take(&mut self.handles);
        for handle in &handles {
            handle.abort();
        }
        self.runtime.block_on(async {
            for handle in handles {
                // It ends with the news that it was aborted.
                let _ = handle.await;
            }
        });
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for handle in &self.handles {
            handle.abort();
        }
    }
}
