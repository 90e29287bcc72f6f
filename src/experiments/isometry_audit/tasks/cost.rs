//! What the parts cost.

use super::part::AuditPart;
use crate::attacks::Norm;
use crate::error::Result;
use crate::experiments::isometry_audit::method::Method;
use crate::experiments::isometry_audit::near_and_far::NearAndFarParams;
use crate::experiments::isometry_audit::params::AuditParams;
use crate::experiments::isometry_audit::settings::Settings;

/// Estimates of time on one core of 2.6 GHz with AVX-512, in seconds, and of memory in megabytes.
pub(super) struct Cost<'a> {
    pub settings: &'a Settings,
    pub params: &'a AuditParams,
    pub near: &'a NearAndFarParams,
}

/// The memory of a process that holds the training images.
const TRAIN_MB: u64 = 400;

impl Cost<'_> {
    /// Of a part; `method` finds a method by its name.
    pub fn of(
        &self,
        part: &AuditPart,
        method: impl Fn(&str) -> Result<Method>,
    ) -> Result<(f64, u64)> {
        let (images, steps) = (self.params.images as f64, self.params.steps as f64 / 100.);
        Ok(match part {
            AuditPart::Train { method: name, .. } => (self.train(method(name)?)?, TRAIN_MB),
            AuditPart::Autoattack {
                method: name, norm, ..
            } => {
                // The images at each radius, those before the attack and the network's answers.
                let memory = TRAIN_MB + self.params.images as u64 / 30;
                (self.autoattack(method(name)?, *norm), memory)
            }
            AuditPart::Others { .. } => (0.5 + 1.9e-3 * images * steps, TRAIN_MB),
            AuditPart::NearAndFar { method: name, .. } => {
                method(name)?;
                let images = self.near.images as f64;
                (0.2 + 7e-9 * images * images, TRAIN_MB)
            }
            AuditPart::Small { .. } => (0.1 + 7e-4 * self.near.epochs as f64, 100),
        })
    }

    fn train(&self, method: Method) -> Result<f64> {
        let epoch = match method {
            Method::Plain | Method::Isometric { .. } => 0.5,
            Method::Jacobian { .. } => 1.,
            Method::Spectral { .. } => 2.4,
            Method::AlmostOrthogonal => 9.5,
            _ => 0.5 + 0.45 * self.settings.attack_steps as f64,
        };
        Ok(0.5 + epoch * self.settings.epochs(&method)? as f64)
    }

    /// An image that is misled rests, so that a network takes the longer the more it withstands.
    fn autoattack(&self, method: Method, norm: Norm) -> f64 {
        let AuditParams {
            images,
            steps,
            queries,
            ..
        } = self.params;
        // Of an image and a radius, 100 steps and 5,000 queries.
        let (linf, l2) = match method {
            Method::Plain | Method::Isometric { .. } => (0.003, 0.0025),
            Method::Jacobian { .. } | Method::Spectral { .. } | Method::AlmostOrthogonal => {
                (0.02, 0.034)
            }
            Method::Adversarial { eps }
            | Method::Trades { eps, .. }
            | Method::AdversarialIsometric { eps, .. } => (0.031 * (eps / 0.1).sqrt(), 0.04),
        };
        let one = match norm {
            Norm::LInf => linf,
            Norm::L2 => l2,
        };
        let share = 0.8 * *steps as f64 / 100. + 0.2 * *queries as f64 / 5_000.;
        0.5 + one * share * (images * self.params.radii(norm).len()) as f64
    }
}
