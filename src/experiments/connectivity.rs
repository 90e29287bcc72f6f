//! Whether two inputs of a class are joined by a path that the network keeps in that class: one call
//! for a pair ([`connect`]), one for many ([`connectivity()`]), for any network and any data.
//!
//! ```no_run
//! use isopath::prelude::*;
//!
//! let (cifar, network) = (datasets::cifar10()?, pretrained::cifar10()?);
//! let cats = correctly_classified(&network, &cifar.test.of_class("cat")?)?;
//! let pair = connect(&network, &cats.first(2)?, Representation::Input, &ConnectParams::default())?;
//! println!("{pair}");
//! let all = connectivity(&network, &cifar.test, Representation::Input, 50, &ConnectParams::default())?;
//! println!("{}", all.table());
//! # Ok::<(), isopath::Error>(())
//! ```

mod connection;
mod figures;
mod pairs;
mod procedure;
mod summary;

pub use connection::{Connection, Connections, Shown};
pub use figures::{steps_table, verdict_table};
pub use pairs::{Pair, Pairs, choose_misclassified_pairs, choose_pairs};
pub use procedure::{ConnectParams, connect, connect_pairs, connectivity};
pub use summary::{Agreement, Counts, Summary};
