//! Is every pair of a class connected? The *connectivity* paper's open question i, asked of all images
//! of a data set at once.
//!
//! The images that a network gives a class are the vertices of a graph, the straight segments that do
//! not leave the class its edges ([`graphs`]). If the graph is connected, so is every pair.
//! [`random_segments`] and [`class_crossings`] say how usual such segments are; [`Further`] and
//! [`Compared`] are controls. [`by_layer`] asks the same of isometric networks on MNIST.

mod bands;
mod compared;
mod cost;
mod figures;
mod further;
mod graphs;
mod isometric;
mod kinds;
mod lipschitz;
mod proved;
mod random;
mod results;
mod settings;
mod strips;
mod tasks;
mod weakest;

pub use bands::{ClassBand, ClassBands};
pub use compared::{Compared, ComparedRow};
pub use cost::{Cost, CostRow, cost};
pub use further::{Further, FurtherClass, further};
pub use graphs::{ClassGraph, Graphs, Vertices, answered, graphs, right_ones, wrong_ones};
pub use isometric::{ByLayer, LayerRegions, RegimeNetworks, by_layer, train_regimes};
pub use kinds::{blurred, misled, noise};
pub use lipschitz::train_lipschitz;
pub use proved::{Proved, ProvedRow};
pub use random::{ClassCrossings, Estimate, RandomSegments, class_crossings, random_segments};
pub use results::{Evidence, GraphResult, Results};
pub use settings::{IsometricSettings, Regime, Settings};
pub use tasks::{ConnectivityRegions, Control, Found, MadeUp, collected};
pub use weakest::{WeakEdge, WeakEdges};
