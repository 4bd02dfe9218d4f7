package module

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"runtime"
)

// headerBytes is how much of an executable platformOf wants to see.
const headerBytes = 4096

// hostPlatform is what an executable must be built for to run here.
func hostPlatform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// platformOf reads from an executable's header what it is built for, as "os/arch" in Go's words.
// Empty when the bytes are no executable it knows.
func platformOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)) && len(head) >= 20:
		return elfPlatform(head)
	case len(head) >= 8 && binary.LittleEndian.Uint32(head) == macho.Magic64:
		return join("darwin", machoArch[macho.Cpu(binary.LittleEndian.Uint32(head[4:]))])
	case bytes.HasPrefix(head, []byte("MZ")) && len(head) >= 64:
		return pePlatform(head)
	}
	return ""
}

var machoArch = map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}

var peArch = map[uint16]string{
	pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_I386: "386",
}

func pePlatform(head []byte) string {
	at := uint64(binary.LittleEndian.Uint32(head[0x3c:]))
	if at+6 > uint64(len(head)) || string(head[at:at+4]) != "PE\x00\x00" {
		return ""
	}
	return join("windows", peArch[binary.LittleEndian.Uint16(head[at+4:])])
}

// elfOS names the systems that mark their executables; Linux ones are unmarked.
var elfOS = map[elf.OSABI]string{
	elf.ELFOSABI_NONE: "linux", elf.ELFOSABI_LINUX: "linux", elf.ELFOSABI_FREEBSD: "freebsd",
	elf.ELFOSABI_NETBSD: "netbsd", elf.ELFOSABI_OPENBSD: "openbsd", elf.ELFOSABI_SOLARIS: "solaris",
}

func elfPlatform(head []byte) string {
	var order binary.ByteOrder = binary.LittleEndian
	big := elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB
	if big {
		order = binary.BigEndian
	}
	kind := elf.Type(order.Uint16(head[16:]))
	if kind != elf.ET_EXEC && kind != elf.ET_DYN {
		return ""
	}
	wide := elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	return join(elfOS[elf.OSABI(head[elf.EI_OSABI])], elfArch(elf.Machine(order.Uint16(head[18:])), big, wide))
}

func elfArch(machine elf.Machine, big, wide bool) string {
	switch machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_PPC64:
		return pick(big, "ppc64", "ppc64le")
	case elf.EM_MIPS:
		return pick(wide, pick(big, "mips64", "mips64le"), pick(big, "mips", "mipsle"))
	}
	return ""
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func join(system, arch string) string {
	if system == "" || arch == "" {
		return ""
	}
	return system + "/" + arch
}
