//! The *isometry* paper's torus: stacked locally isometric layers, section 3.4 and figure 4.
//!
//! One stack for each seed, with the gradient stopped between its layers and, for comparison, with
//! the gradient let through ([`train_stacks`]), and what each layer does to the regions of its
//! resolution ([`LayerShape`]). The stacks draw the figures.

mod figures;
mod gradient;
mod results;
mod settings;
mod shape;
mod stacks;
mod tasks;

pub use gradient::{GradientNorms, gradient_norms};
pub use results::{Results, StackResults};
pub use settings::{Gradient, Settings};
pub use shape::{LayerShape, layer_shapes};
pub use stacks::{Stacks, Trained, save_stacks, train_one, train_stacks};
pub use tasks::{TorusStacks, collected, tasks};
