//! Losses of one image's logits, with their derivatives: what the attacks of AutoAttack ascend.

/// A loss of the logits z of one image with label y.
///
/// ```text
/// cross-entropy   log Σ_c exp(z_c) − z_y
/// DLR             −(z_y − max_{c≠y} z_c) / (z_π1 − z_π3 + 1e-12)
/// targeted DLR    −(z_y − z_t) / (z_π1 − (z_π3 + z_π4)/2 + 1e-12)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Objective {
    CrossEntropy,
    /// The difference of logits ratio.
    Dlr,
    /// The same towards class t.
    DlrTowards(usize),
}

/// Keeps the ratio defined where all logits are equal; the reference implementation's.
const FLOOR: f64 = 1e-12;

impl Objective {
    /// The fewest classes that the loss is defined for.
    pub fn least_classes(self) -> usize {
        match self {
            Self::CrossEntropy => 2,
            Self::Dlr => 3,
            Self::DlrTowards(_) => 4,
        }
    }

    /// The loss; ∂L/∂z is added to `slope`, zeros before.
    pub fn at(self, logits: &[f64], label: u32, slope: &mut [f64]) -> f64 {
        let own = label as usize;
        match self {
            Self::CrossEntropy => cross_entropy(logits, own, slope),
            Self::Dlr => {
                let (other, _) = super::pull::runner_up(logits, label);
                let order = descending(logits);
                ratio(
                    (logits, slope),
                    (own, other),
                    &[(order[0], 1.), (order[2], -1.)],
                )
            }
            Self::DlrTowards(target) => {
                let order = descending(logits);
                let scale = [(order[0], 1.), (order[2], -0.5), (order[3], -0.5)];
                ratio((logits, slope), (own, target), &scale)
            }
        }
    }
}

/// log Σ exp(z_c) − z_y, with 1 − p_y summed from the others, so that it does not round to 0.
fn cross_entropy(logits: &[f64], own: usize, slope: &mut [f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    let mut others = 0.;
    for (class, (slope, logit)) in slope.iter_mut().zip(logits).enumerate() {
        if class != own {
            *slope = (logit - largest).exp() / sum;
            others += *slope;
        }
    }
    slope[own] = -others;
    sum.ln() + largest - logits[own]
}

/// −(z_own − z_other) / (Σ_k s_k z_k + floor), `scale` the pairs (k, s_k).
fn ratio(
    (logits, slope): (&[f64], &mut [f64]),
    (own, other): (usize, usize),
    scale: &[(usize, f64)],
) -> f64 {
    let below = FLOOR
        + scale
            .iter()
            .map(|(class, s)| s * logits[*class])
            .sum::<f64>();
    let above = logits[own] - logits[other];
    slope[own] -= 1. / below;
    slope[other] += 1. / below;
    for (class, s) in scale {
        slope[*class] += s * above / (below * below);
    }
    -above / below
}

/// The classes from the largest logit to the smallest; of equal ones the later first, as a stable
/// ascending sort read from its end.
pub(super) fn descending(logits: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f64; 5] = [0.3, -1.2, 2.1, 0.9, -0.4];

    #[test]
    fn values_are_those_of_the_formulas() {
        let mut slope = [0.; 5];
        let loss = |objective: Objective, label| objective.at(&LOGITS, label, &mut [0.; 5]);
        let sum: f64 = LOGITS.iter().map(|z| z.exp()).sum();
        assert!((loss(Objective::CrossEntropy, 3) - (sum.ln() - 0.9)).abs() < 1e-14);
        assert!((loss(Objective::Dlr, 2) + (2.1 - 0.9) / (2.1 - 0.3)).abs() < 1e-11);
        let towards = loss(Objective::DlrTowards(0), 2);
        assert!((towards + (2.1 - 0.3) / (2.1 - (0.3 - 0.4) / 2.)).abs() < 1e-11);
        // Two hundred nats away the slope is still there.
        Objective::CrossEntropy.at(&[200., 0.], 0, &mut slope[..2]);
        assert!(slope[0] < 0. && slope[1] == -slope[0]);
    }

    #[test]
    fn slopes_are_the_differences_of_the_values() {
        let all = [
            Objective::CrossEntropy,
            Objective::Dlr,
            Objective::DlrTowards(4),
        ];
        for (objective, label) in all
            .into_iter()
            .flat_map(|one| (0..4).map(move |y| (one, y)))
        {
            let mut slope = [0.; 5];
            objective.at(&LOGITS, label, &mut slope);
            for class in 0..5 {
                let at = |step: f64| {
                    let mut moved = LOGITS;
                    moved[class] += step;
                    objective.at(&moved, label, &mut [0.; 5])
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!(
                    (slope[class] - difference).abs() < 1e-8,
                    "{objective:?} {label} {class}"
                );
            }
        }
    }
}
