//! Values that mean what they mean to `docker run`: sizes, mounts and platforms.

/// No engine gives a container less memory than 6 MiB; 0 is without a bound.
const MEMORY_MIN: u64 = 6 << 20;

/// A `--volume`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Volume {
    /// A new volume without a name, mounted there.
    Anonymous(String),
    /// A folder of the host's, or a volume with a name, as the engine takes it.
    Mounted(String),
}

impl Volume {
    /// Reads it; the error says what is right.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const RIGHT: &str = "a mount looks like /host:/container, /host:/container:ro, volume:/container or /container";
        let sections: Vec<_> = text.split(':').collect();
        let (source, target, modes) = match sections[..] {
            [target] => (None, target, None),
            [source, target] => (Some(source), target, None),
            [source, target, modes] => (Some(source), target, Some(modes)),
            _ => return Err(RIGHT),
        };
        if !target.starts_with('/') {
            return Err(RIGHT);
        }
        if target.split('/').all(|part| matches!(part, "" | ".")) {
            return Err("nothing can be mounted over the container's root");
        }
        if !modes.is_none_or(are_modes) {
            return Err(
                "a mount's modes are ro or rw, z or Z, nocopy, and a propagation as rslave, with commas between them",
            );
        }
        let Some(source) = source else {
            return Ok(Self::Anonymous(target.to_owned()));
        };
        if source.starts_with('.') {
            let path = std::path::absolute(source).map_err(|_| RIGHT)?;
            let path = path.to_str().ok_or(RIGHT)?;
            return Ok(Self::Mounted(format!("{path}{}", &text[source.len()..])));
        }
        match source.starts_with('/') || is_volume_name(source) {
            true => Ok(Self::Mounted(text.to_owned())),
            false => Err(RIGHT),
        }
    }
}

/// The engine's grammar of names, which have two letters at least.
fn is_volume_name(text: &str) -> bool {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    text.len() > 1
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(fits)
}

/// Of each kind one at most.
fn are_modes(text: &str) -> bool {
    const KINDS: &[&[&str]] = &[
        &["ro", "rw"],
        &["z", "Z"],
        &["nocopy"],
        &[
            "private", "rprivate", "shared", "rshared", "slave", "rslave",
        ],
        &["consistent", "cached", "delegated", "default"],
    ];
    let mut given: Vec<usize> = Vec::new();
    text.split(',').all(|mode| {
        let kind = KINDS.iter().position(|kind| kind.contains(&mode));
        let is_new = kind.filter(|kind| !given.contains(kind));
        given.extend(is_new);
        is_new.is_some()
    })
}

/// An operating system, a processor, or both; which there are is the engine's to say.
pub(super) fn is_platform(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let parts: Vec<_> = text.split('/').collect();
    let is_part = |part: &&str| !part.is_empty() && part.chars().all(fits);
    parts.len() <= 3 && parts.iter().all(is_part)
}

/// A number of bytes, with a fraction or not, and b, k, m, g, t or p behind it, as `512m`, `1.5g`,
/// `64 MiB` or `64mb`.
pub(super) fn memory(text: &str) -> Result<u64, &'static str> {
    const RIGHT: &str = "memory looks like 512m or 1.5g, at least 6m";
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let shift = match &*unit {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(RIGHT),
    };
    let number: f64 = number.parse().map_err(|_| RIGHT)?;
    let bytes = number * f64::from(shift).exp2();
    // The API has a signed number.
    if bytes >= i64::MAX as f64 {
        return Err(RIGHT);
    }
    let bytes = bytes as u64;
    match bytes == 0 || bytes >= MEMORY_MIN {
        true => Ok(bytes),
        false => Err(RIGHT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_docker_reads_it() {
        for (text, bytes) in [
            ("512m", 512 << 20),
            ("2G", 2 << 30),
            ("1.5g", 3 << 29),
            (".5g", 1 << 29),
            ("6mb", 6 << 20),
            ("8MiB", 8 << 20),
            ("8 MiB", 8 << 20),
            ("10000000", 10_000_000),
            ("10000000.9b", 10_000_000),
            ("6144k", 6 << 20),
            ("1t", 1 << 40),
            ("1p", 1 << 50),
            ("0", 0),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "m",
            ".",
            "1.5.2g",
            "-1",
            "5m",
            "6143k",
            "1x",
            "1ib",
            "1mbb",
            "8  m",
            "1 ",
            "99999999p",
            "1e9",
            "inf",
            "NaN",
        ] {
            assert!(memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mounts_are_those_that_docker_takes() {
        for text in [
            "/host:/data",
            "/host:/data:ro",
            "/host:/data:rw,Z,rslave",
            "volume:/data",
            "v1:/data:nocopy",
            "/host:/data:delegated",
        ] {
            let volume = Volume::parse(text);
            assert_eq!(volume, Ok(Volume::Mounted(text.to_owned())));
        }
        let anonymous = Volume::parse("/data");
        assert_eq!(anonymous, Ok(Volume::Anonymous("/data".to_owned())));
        for text in [
            "",
            ":",
            "data",
            "/",
            "/.",
            "/a:/",
            "/a:",
            ":/a",
            "/a:b",
            "/a:ro",
            "v:/data",
            "~/a:/b",
            "a b:/c",
            "/a:/b:",
            "/a:/b:ro,rw",
            "/a:/b:ro,ro",
            "/a:/b:quick",
            "/a:/b:ro:z",
        ] {
            assert!(Volume::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folder_of_the_host_may_be_named_from_here() {
        let here = std::env::current_dir().unwrap();
        let Ok(Volume::Mounted(mount)) = Volume::parse("./a/b:/data:ro") else {
            panic!("refused");
        };
        assert_eq!(mount, format!("{}/a/b:/data:ro", here.display()));
    }

    #[test]
    fn platform_is_a_system_a_processor_or_both() {
        for text in ["linux", "arm64", "linux/arm64", "linux/arm/v7", "x86_64"] {
            assert!(is_platform(text), "{text}");
        }
        for text in [
            "",
            "/",
            "linux/",
            "/arm64",
            "linux//v7",
            "a/b/c/d",
            "linux arm64",
            "linux:arm",
        ] {
            assert!(!is_platform(text), "{text}");
        }
    }
}
