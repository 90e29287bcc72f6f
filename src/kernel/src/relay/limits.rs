//! How much a cell may use, where whoever starts the kernel says so: for code of strangers, as when
//! a course is graded. Without a limit a cell may use everything.

use std::time::Duration;

use crate::names;

/// The limits of every cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// How long it may take, from its request to its end.
    pub time: Option<Duration>,
    /// How many bytes its process may have of its own, with those of the cells before it.
    pub memory: Option<u64>,
    /// How many bytes it may print and show.
    pub output: Option<usize>,
}

impl Limits {
    /// Reads them from the environment.
    ///
    /// # Errors
    /// A variable is set to something else than a whole number above 0.
    pub fn of_environment() -> Result<Self, String> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| match variable(name) {
            None => Ok(None),
            Some(text) => match text.parse::<u32>() {
                Ok(number @ 1..) => Ok(Some(number)),
                _ => Err(format!(
                    "{name} is {text:?}; expected a whole number above 0"
                )),
            },
        };
        Ok(Self {
            time: number(names::CELL_SECONDS)?.map(|seconds| Duration::from_secs(seconds.into())),
            memory: number(names::CELL_MEMORY)?.map(|megabytes| u64::from(megabytes) << 20),
            output: number(names::CELL_OUTPUT)?.map(|kilobytes| (kilobytes as usize) << 10),
        })
    }

    /// What a cell has done whose time is over.
    pub fn time_in_words(&self) -> String {
        let seconds = self.time.unwrap_or_default().as_secs();
        format!("the cell ran longer than the {seconds} s that it may take here")
    }

    /// What a cell has done that was refused memory.
    pub fn memory_in_words(&self) -> String {
        let megabytes = self.memory.unwrap_or_default() >> 20;
        format!("the cells needed more memory than the {megabytes} MB that they may have here")
    }

    /// Limits the memory of a process. Not possible on macOS.
    pub fn limit_memory(&self, process: Option<u32>) {
        #[cfg(target_os = "linux")]
        if let (Some(memory), Some(process)) = (self.memory, process) {
            use rustix::process::{Pid, Resource, Rlimit, prlimit};
            let limit = Rlimit {
                current: Some(memory),
                maximum: Some(memory),
            };
            let result = prlimit(Pid::from_raw(process.cast_signed()), Resource::Data, limit);
            if let Err(error) = result {
                eprintln!("the memory of the cells is not limited: {error}");
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = process;
    }
}

/// How much a cell has printed and shown.
#[derive(Default)]
pub struct Meter {
    used: usize,
    /// The reader was told that the rest is left out.
    is_over: bool,
}

/// What becomes of an output.
#[derive(Debug, PartialEq)]
pub enum Pass {
    /// It is shown.
    Whole,
    /// So many bytes of it are shown, then the reader is told that the rest is left out.
    Cut(usize),
    /// It is left out.
    Nothing,
}

impl Meter {
    /// Counts an output of `size` bytes.
    pub fn count(&mut self, size: usize, limits: &Limits) -> Pass {
        let Some(most) = limits.output else {
            return Pass::Whole;
        };
        let left = most.saturating_sub(self.used);
        self.used = self.used.saturating_add(size);
        if size <= left {
            Pass::Whole
        } else if std::mem::replace(&mut self.is_over, true) {
            Pass::Nothing
        } else {
            Pass::Cut(left)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_or_refused() {
        let read = |value: &'static str| Limits::read(|_| Some(value.to_owned()));
        let limits = read("2").unwrap();
        assert_eq!(limits.time, Some(Duration::from_secs(2)));
        assert_eq!(limits.memory, Some(2 << 20));
        assert_eq!(limits.output, Some(2 << 10));
        assert_eq!(Limits::read(|_| None).unwrap(), Limits::default());
        for wrong in ["0", "-1", "1.5", "", "many"] {
            let refusal = read(wrong).unwrap_err();
            assert!(refusal.contains("expected a whole number"), "{refusal}");
        }
    }

    #[test]
    fn an_output_is_cut_once() {
        let limits = Limits {
            output: Some(10),
            ..Limits::default()
        };
        let mut meter = Meter::default();
        let passes: Vec<Pass> = [6, 4, 3, 1]
            .map(|size| meter.count(size, &limits))
            .into_iter()
            .collect();
        assert_eq!(
            passes,
            [Pass::Whole, Pass::Whole, Pass::Cut(0), Pass::Nothing]
        );
        let mut meter = Meter::default();
        assert_eq!(meter.count(16, &limits), Pass::Cut(10));
        assert_eq!(meter.count(16, &Limits::default()), Pass::Whole);
    }
}
