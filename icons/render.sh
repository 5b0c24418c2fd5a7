#!/bin/sh
# Renders the PNGs from the SVGs beside them. Needs rsvg-convert and ImageMagick.
set -eu
cd "$(dirname "$0")"
size=64
for state in healthy degraded unknown offline paused; do
  rsvg-convert -w $size -h $size "tray/$state.svg" -o "tray/$state.png"
done
for count in 1 2 3 4 5 6 7 8 9 9+; do
  case $count in 9+) font=15 base=21.4 ;; *) font=20 base=23.2 ;; esac
  sed "s/COUNT<\/text>/$count<\/text>/; s/SIZE/$font/; s/BASE/$base/" tray/unhealthy.svg |
    rsvg-convert -w $size -h $size -o "tray/unhealthy-$count.png"
done
for edge in 32 128 256 512; do
  rsvg-convert -w $edge -h $edge app.svg -o "app-$edge.png"
done
convert app-256.png -define icon:auto-resize=256,128,64,48,32,16 app.ico
