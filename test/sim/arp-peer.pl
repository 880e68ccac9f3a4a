# SPDX-License-Identifier: MIT OR Apache-2.0
# arp-peer.pl LOCAL REMOTE: the other end of a simulated wire; answers every ARP request, whomever it asks for, until killed. Says when it is there.
use strict;
use warnings;
use IO::Socket::UNIX;
use Socket;
my ($local, $remote) = @ARGV;
my $wire = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $local) or die "$local: $!";
print "there\n"; # whoever waits for it may send
close STDOUT;
my $mac = "\x52\x55\x0a\x00\x02\x02";
while (defined recv($wire, my $frame, 65536, 0)) {
    next if length($frame) < 42 || substr($frame, 12, 10) ne "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01";
    my $asker = substr($frame, 22, 10);
    my $answer = substr($frame, 6, 6) . $mac . "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02" . $mac . substr($frame, 38, 4) . $asker;
    send($wire, $answer, 0, pack_sockaddr_un($remote));
}
