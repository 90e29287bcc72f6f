//! The experiments that have tasks, by name.

use super::experiment::Experiment;
use super::trial::Trial;
use crate::error::{Error, Result};
use crate::experiments::certify::Certify;
use crate::experiments::connectivity_cifar10::{self, ConnectivityCifar10};
use crate::experiments::connectivity_regions::{self, ConnectivityRegions};
use crate::experiments::isometry_audit::{self, AuditParams, IsometryAudit, NearAndFarParams};
use crate::experiments::isometry_mnist::{self, IsometryMnist};
use crate::experiments::{isometry_rings, isometry_torus};
use crate::scale::Scale;

/// The names of the experiments that have tasks.
pub const NAMES: [&str; 8] = [
    "certify",
    "connectivity_cifar10",
    "connectivity_regions",
    "isometry_audit",
    "isometry_mnist",
    "isometry_rings",
    "isometry_torus",
    "trial",
];

/// The experiment of that name, with its settings at a scale.
///
/// # Errors
/// There is none.
pub fn experiment(name: &str, scale: Scale) -> Result<Box<dyn Experiment>> {
    Ok(match name {
        "certify" => Box::new(Certify::new(scale)?),
        "connectivity_cifar10" => Box::new(ConnectivityCifar10::new(
            connectivity_cifar10::Settings::of(scale),
        )),
        "connectivity_regions" => Box::new(ConnectivityRegions::new(
            connectivity_regions::Settings::of(scale),
        )),
        "isometry_audit" => Box::new(IsometryAudit::new(
            scale,
            isometry_audit::Settings::of(scale),
            AuditParams::of(scale),
            NearAndFarParams::of(scale),
        )),
        "isometry_mnist" => Box::new(IsometryMnist::new(
            scale,
            isometry_mnist::Settings::of(scale),
        )),
        "isometry_rings" => Box::new(isometry_rings::tasks(
            scale,
            isometry_rings::Settings::of(scale),
        )),
        "isometry_torus" => Box::new(isometry_torus::tasks(
            scale,
            isometry_torus::Settings::of(scale),
        )),
        "trial" => Box::new(Trial { scale }),
        other => {
            let expected = format!("one of {}", NAMES.join(", "));
            return Err(Error::argument(
                "experiment",
                expected,
                format!("{other:?}"),
            ));
        }
    })
}
