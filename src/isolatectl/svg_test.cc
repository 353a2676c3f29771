#include "isolatectl/svg.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::message_of;

std::string svg(const std::string& inside, const std::string& attributes = "") {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" " + attributes + ">" +
         inside + "</svg>";
}

TEST(SvgTest, DrawingsAreAccepted) {
  const std::string accepted[] = {
      svg(""),
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- a comment -->\n" + svg("<g><path d=\"M0 0h16\"/></g>"),
      "\xef\xbb\xbf" + svg("<circle r=\"1\" fill=\"url(#a)\"/>"),
      svg("<defs><linearGradient id=\"a\"/><linearGradient id=\"b\" xlink:href=\"#a\"/></defs><use href=\"#a\"/>"),
      svg("<rect style=\"fill:url('#a');stroke:none;-inkscape-font-specification:'Sans'\"/>"),
      svg("<style type=\"text/css\">.ColorScheme-Text { color:#232629; }</style><path class=\"ColorScheme-Text\"/>"),
      svg("<image xlink:href=\"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAA=\"/>"),
      svg("<filter id=\"f\"><feGaussianBlur stdDeviation=\"1\"/></filter>"),
      svg("<metadata><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:li "
          "rdf:resource=\"http://purl.org/dc/dcmitype/StillImage\"/></rdf:RDF></metadata>"),
      svg("<sodipodi:namedview xmlns:sodipodi=\"http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd\"/>")};
  for (const auto& content : accepted) EXPECT_EQ(message_of(check_svg(content)), "") << content;
}

TEST(SvgTest, ScriptsAndWhatRunsThemAreRefused) {
  const std::string refused[] = {svg("<script>alert(1)</script>"),
                                 svg("<s:script xmlns:s=\"http://www.w3.org/2000/svg\"/>"),
                                 svg("", "onload=\"alert(1)\""),
                                 svg("<path OnClick=\"alert(1)\"/>"),
                                 svg("<a xlink:href=\"javascript:alert(1)\"/>"),
                                 svg("<a href=\"&#106;avascript:alert(1)\"/>"),
                                 svg("<set attributeName=\"href\" to=\"javascript:alert(1)\"/>"),
                                 svg("<animate/>"),
                                 svg("<foreignObject/>"),
                                 svg("<h:script xmlns:h=\"http://www.w3.org/1999/xhtml\"/>"),
                                 svg("<x:include xmlns:x=\"http://www.w3.org/2001/XInclude\" parse=\"text\"/>"),
                                 svg("<handler/>")};
  for (const auto& content : refused) EXPECT_NE(message_of(check_svg(content)), "") << content;
}

TEST(SvgTest, DoctypesEntitiesAndInstructionsAreRefused) {
  const std::string refused[] = {
      "<!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" + svg("<text>&x;</text>"),
      "<!DOCTYPE svg [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]>" + svg("<text>&b;</text>"),
      "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">" +
          svg(""),
      svg("<text>&undefined;</text>"),
      "<?xml-stylesheet href=\"http://example.org/a.css\"?>" + svg(""),
      svg("<?php echo 1 ?>")};
  for (const auto& content : refused) EXPECT_NE(message_of(check_svg(content)), "") << content;
}

TEST(SvgTest, ReferencesToTheOutsideAreRefused) {
  const std::string refused[] = {svg("<image xlink:href=\"file:///etc/passwd\"/>"),
                                 svg("<image href=\"http://example.org/a.png\"/>"),
                                 svg("<image href=\"/etc/passwd\"/>"),
                                 svg("<image href=\"data:image/svg+xml;base64,AAAA\"/>"),
                                 svg("<use xlink:href=\" other.svg#a\"/>"),
                                 svg("<feImage href=\"a.png\"/>"),
                                 svg("<path fill=\"url(http://example.org/a#b)\"/>"),
                                 svg("<path fill=\"URL( 'a.svg#b')\"/>"),
                                 svg("<path fill=\"u\\72l(a.svg#b)\"/>"),
                                 svg("<path style=\"fill:url(#a) url(b)\"/>"),
                                 svg("<path style=\"background:image-set('a' 1x)\"/>"),
                                 svg("<style>@import 'a.css';</style>"),
                                 svg("<style>@font-face { src: local(a) }</style>"),
                                 svg("<style><![CDATA[ a { fill: url(//example.org/a) } ]]></style>"),
                                 svg("<style>a { fill: \\75rl(x) }</style>"),
                                 svg("", "xml:base=\"http://example.org/\"")};
  for (const auto& content : refused) EXPECT_NE(message_of(check_svg(content)), "") << content;
}

TEST(SvgTest, RefusesDrawingsThatNeedMuchMemoryOrTime) {
  const auto image = [](const std::string& url) { return "<image href=\"" + url + "\"/>"; };
  std::string many;
  for (int i = 0; i < 17; ++i) many += image("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAA=");
  const std::string refused[] = {svg(image("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAATiAAAE4gAQAAAAA=")),
                                 svg(image("data:image/png;base64,iVBORw0KGgo=")),
                                 svg(image("data:image/png;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcG")),
                                 svg(image("data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcG")),
                                 svg(many),
                                 svg("<filter><feTurbulence numOctaves=\"1000000000\"/></filter>")};
  for (const auto& content : refused) EXPECT_NE(message_of(check_svg(content)), "") << content;
  EXPECT_EQ(message_of(check_svg(svg("<filter><feTurbulence numOctaves=\"3\"/></filter>"))), "");
}

TEST(SvgTest, OtherDocumentsAndEncodingsAreRefused) {
  const std::string refused[] = {"",
                                 "text",
                                 "<svg/>",
                                 "<svg xmlns=\"http://example.org/\"/>",
                                 "<html xmlns=\"http://www.w3.org/1999/xhtml\">" + svg("") + "</html>",
                                 svg("") + svg(""),
                                 svg("<g>"),
                                 svg("\xff"),
                                 "<?xml version=\"1.0\" encoding=\"UTF-7\"?>" + svg(""),
                                 "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + svg(""),
                                 std::string("\xff\xfe<\0s\0v\0g\0", 10),
                                 svg(std::string("\0", 1))};
  for (const auto& content : refused) EXPECT_NE(message_of(check_svg(content)), "") << content;
}

TEST(SvgTest, DeepNestingIsRefused) {
  std::string opened;
  std::string closed;
  for (int i = 0; i < 50000; ++i) {
    opened += "<g>";
    closed += "</g>";
  }
  EXPECT_NE(message_of(check_svg(svg(opened + closed))).find("deeply"), std::string::npos);
}

}  // namespace
}  // namespace isolate
