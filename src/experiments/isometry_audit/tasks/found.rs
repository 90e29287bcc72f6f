//! All that the tasks find, put together.

use super::IsometryAudit;
use super::outputs::{measured, network, others};
use super::part::AuditPart;
use crate::attacks::Norm;
use crate::error::Result;
use crate::experiments::isometry_audit::audit::{Audited, Audits};
use crate::experiments::isometry_audit::method::Method;
use crate::experiments::isometry_audit::near_and_far::NearAndFar;
use crate::experiments::isometry_audit::networks::{Networks, Trained};
use crate::experiments::isometry_audit::pretrained::load_pretrained_from;
use crate::experiments::sweep::Run;
use crate::experiments::tasks::Finished;

/// All that the tasks of the experiment find.
#[derive(Clone, Debug)]
pub struct Found {
    /// The networks.
    pub networks: Networks,
    /// What attacks leave of them.
    pub audits: Audits,
    /// How much they stretch near their decision boundary and far from it.
    pub near_and_far: NearAndFar,
}

impl IsometryAudit {
    fn networks(&self, finished: &Finished<'_>) -> Result<Networks> {
        if let Some(folder) = &self.carried {
            return load_pretrained_from(folder, self.data()?, &self.settings);
        }
        let one = |(method, seed): (Method, u64)| {
            let name = method.file_name();
            let output = finished.output(&AuditPart::Train { method: name, seed })?;
            Ok(Run {
                parameter: method,
                seed,
                result: network(&output, &self.settings, method, seed)?,
            })
        };
        let runs = self.cases()?.into_iter().map(one);
        Ok(Networks {
            runs: runs.collect::<Result<_>>()?,
        })
    }

    /// All that the tasks have found.
    ///
    /// # Errors
    /// An output is not there, or is none of this experiment.
    pub fn found(&self, finished: &Finished<'_>) -> Result<Found> {
        let networks = self.networks(finished)?;
        let audited = |run: &Run<Method, Trained>| {
            let (method, seed) = (run.parameter.file_name(), run.seed);
            let at = |norm| {
                let method = method.clone();
                let part = AuditPart::Autoattack { method, seed, norm };
                finished.output(&part)?.read()
            };
            let radii = [at(Norm::LInf)?, at(Norm::L2)?];
            let others = others(&finished.output(&AuditPart::Others { method, seed })?)?;
            Ok(Run {
                parameter: run.parameter,
                seed,
                result: Audited::new(&run.result, &self.params, radii, others),
            })
        };
        let audits = networks.runs.iter().map(audited).collect::<Result<_>>()?;
        let near = self.near_parts();
        let near = near.map(|part| measured(&finished.output(&part)?));
        Ok(Found {
            audits: Audits { runs: audits },
            near_and_far: NearAndFar {
                networks: near.collect::<Result<_>>()?,
            },
            networks,
        })
    }
}
