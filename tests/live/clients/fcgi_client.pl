# Asks with Perl's FCGI::Client, one request on each connection: the arguments
# are the path of a socket, a target and a body; it prints both outputs.

use strict;
use warnings;
use FCGI::Client;
use IO::Socket::UNIX;

my ($path, $target, $body) = @ARGV;
my $sock = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
my $client = FCGI::Client::Connection->new(sock => $sock, timeout => 15);
my ($stdout, $stderr) = $client->request(
    {
        REQUEST_METHOD => length $body ? 'POST' : 'GET',
        REQUEST_URI    => $target,
        CONTENT_LENGTH => length $body,
        HTTP_COOKIE    => 'a=1; b=' . 'x' x 500,
    },
    $body,
);
print $stdout;
print STDERR $stderr if defined $stderr;
