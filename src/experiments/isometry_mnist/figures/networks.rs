//! Table 1: accuracy and isometric loss by β.

use super::super::networks::Networks;
use crate::figures::{Table, drawn, plus_minus};

drawn!(table: Networks);

impl Networks {
    /// Tabulates test accuracy and isometric loss for every β, mean ± standard deviation over the
    /// seeds: the *isometry* paper's table 1.
    pub fn table(&self) -> Table {
        let mut table = Table::new(
            "Table 1. Test accuracy and isometric loss",
            ["β", "accuracy", "L_ISO"],
        );
        let accuracies = self.values(|trained| trained.test_accuracy);
        let losses = self.values(|trained| trained.isometric_loss);
        for ((beta, accuracy), loss) in self.parameters().iter().zip(&accuracies).zip(&losses) {
            table.push([
                beta.to_string(),
                plus_minus(accuracy, 4),
                plus_minus(loss, 3),
            ]);
        }
        table
    }
}
