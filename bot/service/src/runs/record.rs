//! What a run needs besides its facts, kept with it in the journal.

use journal::Run;
use plan::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::reply::RunSetting;

/// What a run needs besides its facts. Versioned: rows of every past version are read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// The format's version.
    pub(crate) v: u32,
    pub(crate) plan: Plan,
    pub(crate) merge_commit: String,
    /// Who ordered it, by login.
    pub(crate) by: String,
}

impl RunRecord {
    pub(crate) fn of(run: &Run) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(&run.new.record)?)
    }

    pub(crate) fn setting(&self, site: &str) -> RunSetting {
        RunSetting {
            site: site.to_owned(),
            by: self.by.clone(),
            merge_commit: self.merge_commit.clone(),
        }
    }
}
