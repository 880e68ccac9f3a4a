# SPDX-License-Identifier: MIT OR Apache-2.0
# fake_image.sh: sourced by tests; makes fake images (fake_image.S) that boot in milliseconds.
# usage: fake_image BUILD PROFILE BEHAVIOUR 'SCRIPT' ['MORE FIELDS OF THE MANIFEST']
fake_image() {
    fake_dir=$1/$2
    mkdir -p "$fake_dir"
    printf '(profile = "%s", version = "0.0.0", platform = "kvm-q35", memoryBytes = 16777216%s)' "$2" "${5:+, $5}" |
        capnp encode "$SRC/build-scripts/schema/boot.capnp" BootPackage >"$fake_dir/manifest.bin"
    gcc -m32 -c "-DBEHAVIOUR=$3" "-DSCRIPT=\"$4\"" -I"$fake_dir" -Wa,-I"$fake_dir" -o "$fake_dir/$2.o" "$SRC/test/host/fake_image.S"
    objcopy -I elf32-i386 -O elf64-x86-64 "$fake_dir/$2.o" "$fake_dir/$2.64.o"
    ld -m elf_x86_64 -static -nostdlib -Ttext=0x200000 -e start -z max-page-size=4096 --build-id=none \
        -z noexecstack -o "$fake_dir/$2.elf" "$fake_dir/$2.64.o"
}
