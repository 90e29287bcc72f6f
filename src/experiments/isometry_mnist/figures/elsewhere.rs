//! The accuracies on another data set.

use super::super::elsewhere::Elsewhere;
use crate::error::Result;
use crate::figures::{Table, plus_minus};

impl Elsewhere {
    /// Tabulates, for every β, the accuracy without an attack and under FGSM and PGD with steps of
    /// at least `alpha`, along both losses; mean ± standard deviation over the seeds.
    ///
    /// # Errors
    /// No step is so long.
    pub fn table(&self, alpha: f64) -> Result<Table> {
        let (fgsm, pgd) = (self.fgsm.at(alpha)?, self.pgd.at(alpha)?);
        let caption = format!(
            "{}: accuracy under FGSM, α = {:.3}, and PGD, α = {:.3}, ε = {:.3}",
            self.set, fgsm.step_size, pgd.step_size, self.eps
        );
        let head = [
            "β",
            "accuracy",
            "L_ISO",
            "FGSM along L_CE",
            "along L",
            "PGD along L_CE",
            "along L",
        ];
        let mut table = Table::new(caption, head);
        let values = self.test_accuracy.iter().zip(&self.isometric_loss);
        for (index, (beta, (accuracy, loss))) in self.beta.iter().zip(values).enumerate() {
            let mut row = vec![
                beta.to_string(),
                plus_minus(accuracy, 3),
                plus_minus(loss, 2),
            ];
            row.extend(fgsm.words(index, 3));
            row.extend(pgd.words(index, 3));
            table.push(row);
        }
        Ok(table)
    }
}
