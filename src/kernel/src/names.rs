//! The names of environment variables and of the lines that mark things in a process's output.

/// Set by evcxr where it starts its executable as the process of the cells.
pub const EVCXR_IS_RUNTIME: &str = "EVCXR_IS_RUNTIME";
/// Set by evcxr where it starts its executable as a wrapper of rustc.
pub const EVCXR_RUSTC_WRAPPER: &str = "EVCXR_RUSTC_WRAPPER";

/// Makes the program nothing but evcxr_jupyter, to compare with.
pub const STOCK: &str = "ISOPATH_KERNEL_STOCK";
/// The program of the cells' process.
pub const CELLS: &str = "ISOPATH_KERNEL_CELLS";
/// The socket where the bridge finds the relay.
pub const BRIDGE_SOCKET: &str = "ISOPATH_KERNEL_BRIDGE";
/// The socket where the cells' process finds the relay.
pub const CELLS_SOCKET: &str = "ISOPATH_KERNEL_SOCKET";
/// The process to end with.
pub const PARENT: &str = "ISOPATH_KERNEL_PARENT";
/// A folder that stands for cargo's home where rust-analyzer looks for cargo: its `bin/cargo` is
/// this program.
pub const ANALYSIS_HOME: &str = "ISOPATH_KERNEL_ANALYSIS_HOME";
/// The cargo that compiles.
pub const CARGO: &str = "ISOPATH_KERNEL_CARGO";
/// The rustc that compiles.
pub const RUSTC: &str = "ISOPATH_KERNEL_RUSTC";
/// The user's `CARGO_HOME`; empty where it is not set.
pub const CARGO_HOME: &str = "ISOPATH_KERNEL_CARGO_HOME";
/// The packages whose types a cell can name, separated by commas.
pub const PACKAGES: &str = "ISOPATH_KERNEL_PACKAGES";
/// The package that the folder's analysis starts with, an absolute path; the first `:dep` names it
/// too.
pub const LIBRARY: &str = "ISOPATH_KERNEL_LIBRARY";
/// Tells the library that this kernel listens: what `isopath::display` and `isopath::progress` look
/// for.
pub const KERNEL: &str = "ISOPATH_KERNEL";
/// A file that exists while the user has asked the running cell to stop: what `isopath::interrupt`
/// looks for.
pub const INTERRUPT: &str = "ISOPATH_INTERRUPT";
/// Why no cell can run; set instead of everything else.
pub const REFUSAL: &str = "ISOPATH_KERNEL_REFUSAL";
/// The kernel's folder.
pub const FOLDER: &str = "ISOPATH_KERNEL_FOLDER";
/// A file in the kernel's folder: the engine is ready.
pub const READY: &str = "ready";
/// A file in the kernel's folder: no build in it was cut off.
pub const GOOD: &str = "good";
/// How many seconds a cell may take.
pub const CELL_SECONDS: &str = "ISOPATH_CELL_SECONDS";
/// How much memory the process of the cells may have of its own, in MB.
pub const CELL_MEMORY: &str = "ISOPATH_CELL_MEMORY";
/// How much a cell may print and show, in kB.
pub const CELL_OUTPUT: &str = "ISOPATH_CELL_OUTPUT";
