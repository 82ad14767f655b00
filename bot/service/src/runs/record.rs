//! What a run needs besides its facts, stored with it in the journal. It must not know how the run moves.

use serde::{Deserialize, Serialize};

use journal::Run;
use plan::plan::Plan;

use crate::reply::RunSetting;

/// The plan of a run and where it comes from. It is versioned; rows of every past version can be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// The format's version.
    pub(crate) v: u32,
    pub(crate) plan: Plan,
    pub(crate) merge_commit: String,
    /// Who ordered the run, by login.
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
