//! What the parts cost.

use super::part::AuditPart;
use crate::attacks::Norm;
use crate::experiments::isometry_audit::method::Method;
use crate::experiments::isometry_audit::near_and_far::NearAndFarParams;
use crate::experiments::isometry_audit::params::AuditParams;
use crate::experiments::isometry_audit::settings::Settings;

/// Estimates of time on one core of 2.6 GHz with AVX-512, in seconds, and of megabytes.
pub(super) struct Cost<'a> {
    pub settings: &'a Settings,
    pub params: &'a AuditParams,
    pub near: &'a NearAndFarParams,
}

impl Cost<'_> {
    /// Of a part.
    pub fn of(&self, part: &AuditPart, method: impl Fn(&str) -> Option<Method>) -> (f64, u64) {
        let _ = (self.settings, self.params, self.near, Norm::LInf);
        match part {
            AuditPart::Train { method: name, .. } => match method(name) {
                _ => (10., 500),
            },
            _ => (10., 300),
        }
    }
}
