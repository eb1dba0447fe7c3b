//! How fast is the program `prime-fan`, compared with other programs for the same tasks?
//!
//!     cargo bench --bench commands               # 5 rounds, a minute or two
//!     cargo bench --bench commands -- 15         # more of them
//!     cargo bench --bench commands -- 15 filter  # for those tables whose heading has these words
//!
//! Whole processes are timed, from their start to their end, with their output discarded. Programs run in turn, and a
//! ratio is taken within each round; printed are the median, the least and the most. A program that is not installed is
//! left out, with a note: `gp` (PARI), `openssl` and `primesieve` come as packages of those names, or `pari-gp`, in
//! most distributions. The environment variable `PRIMESIEVE` names another `primesieve`, such as version 12. Slower programs get fewer numbers, and the time per number is compared.
//!
//! The targets are those of an idle machine with 2 cores. A missed target is printed and is not a failure.

mod support {
    pub(crate) mod args;
    pub(crate) mod median;
}

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use prime_fan::RandomIntegers;
use tempfile::TempDir;

use support::args::measuring;
use support::median::Summary;

const ROUNDS: usize = 5;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let numbers = Numbers::new(if measuring() { 1 } else { 1000 })?;
    let counts = [("0", 1.0), ("1e12", 1.0), ("1e15", 1.0), ("1e17", 0.8), ("1e18", 0.8)];
    let tables = [filter(&numbers)].into_iter().chain(counts.map(|(start, target)| count(start, target)));
    for table in tables.chain(["0", "1e12", "1e15", "1e17", "1e18"].map(print)) {
        if given().filter(|word| word.parse::<usize>().is_err()).all(|word| table.heading.contains(&word)) {
            table.measure(if measuring() { rounds() } else { 1 })?;
        }
    }
    Ok(())
}

fn rounds() -> usize {
    given().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1)
}

/// The arguments that aren't cargo's.
fn given() -> impl Iterator<Item = String> {
    env::args().skip(1).filter(|argument| !argument.starts_with("--"))
}

/// Files of random 64-bit numbers.
struct Numbers {
    _folder: TempDir,
    many: (PathBuf, u64),
    /// For a program that takes a microsecond per number.
    some: (PathBuf, u64),
    /// For a program that takes ten microseconds per number.
    few: (PathBuf, u64),
    /// The script for PARI, which tests `some`.
    script: PathBuf,
}

impl Numbers {
    fn new(divisor: u64) -> Result<Self> {
        let folder = TempDir::new()?;
        let file = |name: &str, count: u64| -> Result<(PathBuf, u64)> {
            let (path, count) = (folder.path().join(name), count / divisor);
            let mut file = BufWriter::new(File::create(&path)?);
            for number in RandomIntegers::new(0..=u64::MAX)?.seeded(1).take(usize::try_from(count)?) {
                writeln!(file, "{number}")?;
            }
            file.into_inner()?;
            Ok((path, count))
        };
        let (many, some, few) = (file("many", 10_000_000)?, file("some", 1_000_000)?, file("few", 100_000)?);
        let script = folder.path().join("isprime.gp");
        let test = format!("foreach(readvec(\"{}\"), n, if(isprime(n), print(n)))\nquit\n", some.0.display());
        fs::write(&script, test)?;
        Ok(Self { _folder: folder, many, some, few, script })
    }
}

/// A program and its arguments.
struct Contender {
    name: &'static str,
    program: String,
    arguments: Vec<String>,
    input: Option<PathBuf>,
    /// How many numbers it tests, by which its time is divided.
    numbers: u64,
}

impl Contender {
    fn new<const N: usize>(name: &'static str, program: &str, arguments: [&str; N], numbers: u64) -> Self {
        Self {
            name,
            program: program.to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            input: None,
            numbers,
        }
    }

    fn reading(self, input: &Path) -> Self {
        Self { input: Some(input.to_owned()), ..self }
    }

    fn is_installed(&self) -> bool {
        // `xargs` runs the program that it is given first.
        let program = if self.program == "xargs" { &self.arguments[0] } else { &self.program };
        Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok()
    }

    /// Runs the program. With `watched`, measures its memory, which takes time from it.
    fn run(&self, watched: bool) -> Result<Run> {
        let input = match &self.input {
            Some(path) => File::open(path)?.into(),
            None => Stdio::null(),
        };
        let began = Instant::now();
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut peak_kib = 0;
        let status = match watched {
            false => child.wait()?,
            // The peak only grows, so the last reading misses no more than the last millisecond.
            true => loop {
                peak_kib = peak_of(child.id()).unwrap_or(peak_kib);
                match child.try_wait()? {
                    Some(status) => break status,
                    None => thread::sleep(Duration::from_millis(1)),
                }
            },
        };
        let time = began.elapsed();
        if status.code().is_none() {
            return Err(format!("{} was killed", self.name).into());
        }
        Ok(Run { nanos: time.as_nanos() as f64 / self.numbers as f64, seconds: time.as_secs_f64(), peak_kib })
    }
}

/// Returns the peak of the resident memory of a process so far.
fn peak_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches("kB").trim().parse().ok()
}

struct Run {
    /// The time per number.
    nanos: f64,
    seconds: f64,
    peak_kib: u64,
}

/// Programs for the same task. The first is ours.
struct Table {
    heading: String,
    contenders: Vec<Contender>,
    /// The targets: the least times of the second program, the third and so on, as multiples of our time.
    targets: Vec<f64>,
    /// The target for our memory, in MiB: at most this.
    memory: Option<u64>,
}

const OURS: &str = env!("CARGO_BIN_EXE_prime-fan");

fn filter(numbers: &Numbers) -> Table {
    let path = |path: &Path| path.display().to_string();
    let Numbers { many: (many, all), some: (_, fewer), few: (few, fewest), script, .. } = numbers;
    Table {
        heading: "filter: which of random 64-bit numbers in a file are prime".to_owned(),
        contenders: vec![
            Contender::new("prime-fan, 2 workers", OURS, ["filter", "--workers", "2", &path(many)], *all),
            Contender::new("prime-fan, 1 worker", OURS, ["filter", "--workers", "1", &path(many)], *all),
            Contender::new("PARI's isprime", "gp", ["-q", "-f", "-s", "500M", &path(script)], *fewer),
            Contender::new("xargs openssl prime", "xargs", ["openssl", "prime"], *fewest).reading(few),
        ],
        targets: vec![1.8, 10.0, 100.0],
        memory: None,
    }
}

/// The program, or the one that the environment names.
fn primesieve() -> String {
    env::var("PRIMESIEVE").unwrap_or_else(|_| "primesieve".to_owned())
}

/// Our program and `primesieve` for 10^9 numbers from `start` on.
fn range(start: &str, ours: &[&str], theirs: &[&str]) -> [Contender; 3] {
    let (length, exact) = if measuring() { ("1e9", 1_000_000_000) } else { ("1e5", 100_000) };
    let ours = |name, workers| {
        let mut contender = Contender::new(name, OURS, ["range", &format!("{start}..+{length}"), "-t", workers], exact);
        contender.arguments.extend(ours.iter().map(|&argument| argument.to_owned()));
        contender
    };
    let mut peer = Contender::new("primesieve, 2 threads", &primesieve(), [start, &format!("-d{length}"), "-q"], exact);
    peer.arguments.extend(theirs.iter().map(|&argument| argument.to_owned()));
    [ours("prime-fan, 2 workers", "2"), ours("prime-fan, 1 worker", "1"), peer]
}

/// It prints on one thread.
fn print(start: &str) -> Table {
    Table {
        heading: format!("print: the primes among 10^9 numbers from {start} on"),
        contenders: range(start, &[], &["-p1"]).into(),
        targets: vec![1.8, 1.5],
        memory: Some(128),
    }
}

/// Far from 0 the primes up to the root are many, and both programs sort their multiples by the parts of the sieve.
fn count(start: &str, target: f64) -> Table {
    Table {
        heading: format!("count: how many primes there are among 10^9 numbers from {start} on"),
        contenders: range(start, &["--count"], &["-c1", "-t2"]).into(),
        targets: vec![1.8, target],
        memory: Some(128),
    }
}

impl Table {
    fn measure(&self, rounds: usize) -> Result<()> {
        println!("{}", self.heading);
        let mut runs: Vec<Vec<Run>> = self.contenders.iter().map(|_| Vec::new()).collect();
        let installed: Vec<bool> = self.contenders.iter().map(Contender::is_installed).collect();
        let mut memory = vec![0; self.contenders.len()];
        for round in 0..=rounds {
            for (who, contender) in self.contenders.iter().enumerate().filter(|&(who, _)| installed[who]) {
                // The first round warms up.
                let run = contender.run(round == 0)?;
                if round == 0 {
                    memory[who] = run.peak_kib / 1024;
                } else {
                    runs[who].push(run);
                }
            }
        }
        for ((contender, runs), memory) in self.contenders.iter().zip(&runs).zip(&memory) {
            if runs.is_empty() {
                println!("  {:24} left out: {} is not installed", contender.name, contender.program);
                continue;
            }
            println!(
                "  {:24} {:.2} ns per number  {:.3} s  {memory} MiB",
                contender.name,
                Summary::of(runs.iter().map(|run| run.nanos)),
                Summary::of(runs.iter().map(|run| run.seconds)).median,
            );
        }
        let ours = &runs[0];
        for ((contender, runs), &target) in self.contenders.iter().zip(&runs).skip(1).zip(&self.targets) {
            if runs.is_empty() {
                continue;
            }
            let ratio = Summary::of(runs.iter().zip(ours).map(|(theirs, ours)| theirs.nanos / ours.nanos));
            let verdict = if ratio.median >= target { "met" } else { "missed" };
            println!("  {} / ours {ratio:.2}  target >= {target:.2}: {verdict}", contender.name);
        }
        if let Some(target) = self.memory {
            let verdict = if memory[0] <= target { "met" } else { "missed" };
            println!("  our memory {} MiB  target <= {target} MiB: {verdict}", memory[0]);
        }
        println!();
        Ok(())
    }
}
